"""The error tree: what it promises to code that catches, prints, pickles and retries."""

import builtins
import copy
import errno
import pickle
import re
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

import storekit
from storekit import errors
from storekit.errors import StoreError, from_exception

# The tree as the design has it, written down once more: class, parent, builtin.
TREE = [
    ("InvalidArgument", "StoreError", "ValueError"),
    ("InvalidLocation", "StoreError", "ValueError"),
    ("UnknownScheme", "InvalidLocation", None),
    ("RangeNotSatisfiable", "StoreError", "ValueError"),
    ("Unsupported", "StoreError", "NotImplementedError"),
    ("NotFound", "StoreError", "FileNotFoundError"),
    ("Duplicate", "StoreError", "FileExistsError"),
    ("InUse", "StoreError", None),
    ("Forbidden", "StoreError", "PermissionError"),
    ("NotAuthenticated", "StoreError", "PermissionError"),
    ("StorageFull", "StoreError", "OSError"),
    ("SizeMismatch", "StoreError", "ValueError"),
    ("DigestMismatch", "StoreError", "ValueError"),
    ("DataError", "StoreError", "OSError"),
    ("Unavailable", "StoreError", "ConnectionError"),
    ("Timeout", "Unavailable", "TimeoutError"),
    ("OutcomeUnknown", "Unavailable", None),
    ("StoreClosed", "StoreError", "ValueError"),
    ("ConfigurationError", "StoreError", "ValueError"),
    ("DriverNotFound", "ConfigurationError", "LookupError"),
    ("DriverConflict", "ConfigurationError", None),
    ("DriverLoadError", "ConfigurationError", "ImportError"),
    ("DriverInvalid", "ConfigurationError", "TypeError"),
    ("BackendError", "StoreError", None),
]
EVERY = ["StoreError", *(name for name, _, _ in TREE)]
FIELDS = {
    "store": "fast",
    "driver": "drawer",
    "operation": "add",
    "location": "s3+https://host/bucket/key",
    "hint": "look again",
}

every_error = pytest.mark.parametrize("name", EVERY)


class Homemade(storekit.Unavailable):
    """What the author of a driver may derive."""


@pytest.mark.parametrize(("name", "parent", "builtin"), TREE)
def test_an_error_has_its_parent_and_the_nearest_builtin(name, parent, builtin):
    error = getattr(errors, name)
    assert error.__bases__[0] is getattr(errors, parent)
    assert [base.__name__ for base in error.__bases__[1:]] == ([builtin] if builtin else [])
    if builtin:
        with pytest.raises(getattr(builtins, builtin)):
            raise error("no")


def test_there_are_no_other_errors_and_all_are_public():
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert found == set(EVERY) == set(errors.__all__)
    for name in EVERY:
        assert getattr(storekit, name) is getattr(errors, name)
        assert name in storekit.__all__


def test_the_drawing_in_the_docstring_is_the_tree():
    drawn, path = [], ["StoreError"]
    for line in errors.__doc__.splitlines():
        match = re.match(r" {4}([│├└─ ]*)([A-Z]\w+)(?: \((\w+)\))?", line)
        if match is None or not match[1].strip():
            continue
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        drawn.append((match[2], path[depth - 1], match[3]))
    assert drawn == TREE


@every_error
def test_an_error_documents_itself(name):
    assert getattr(errors, name).__doc__.strip()


@every_error
def test_only_what_may_succeed_with_nothing_changed_is_retriable(name):
    assert getattr(errors, name).retriable is (name in {"Unavailable", "Timeout"})
    assert getattr(errors, name)("no").retriable is getattr(errors, name).retriable


@every_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling_with_all_that_it_knows(name, protocol):
    error = getattr(errors, name)("what happened", **FIELDS)
    error.add_note("a note")
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert again.__notes__ == ["a note"]
    for field, value in FIELDS.items():
        assert getattr(again, field) == value
    assert again.message == "what happened"


@every_error
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_an_error_can_be_copied(name, copied):
    error = getattr(errors, name)("what happened", **FIELDS)
    again = copied(error)
    assert again is not error
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_error_that_a_driver_derived_survives_pickling():
    again = pickle.loads(pickle.dumps(Homemade("gone", store="fast")))
    assert type(again) is Homemade
    assert (again.store, again.message, again.retriable) == ("fast", "gone", True)


@every_error
def test_the_text_of_an_error_has_everything_in_it(name):
    text = str(getattr(errors, name)("what happened", **FIELDS))
    assert text == (
        "store 'fast' (drawer): add s3+https://host/bucket/key: what happened (look again)"
    )


@given(
    st.dictionaries(st.sampled_from(sorted(FIELDS)), st.just(None)),
    st.sampled_from(EVERY),
)
def test_whatever_an_error_knows_is_in_its_text_and_nothing_else(left_out, name):
    known = {field: value for field, value in FIELDS.items() if field not in left_out}
    text = str(getattr(errors, name)("what happened", **known))
    assert "what happened" in text
    assert "None" not in text
    for field, value in FIELDS.items():
        assert (value in text) is (field in known)


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r", "\x0b", "\u2028"])
def test_the_text_of_an_error_is_one_line_whatever_the_backend_said(breaks):
    error = storekit.BackendError(f"first{breaks}second", hint=f"third{breaks}fourth")
    assert len(str(error).splitlines()) == 1
    for word in ("first", "second", "third", "fourth"):
        assert word in str(error)


def test_an_error_does_not_repeat_a_location_that_its_message_names():
    error = storekit.NotFound("shelf://a/b is gone", location="shelf://a/b", operation="get")
    assert str(error) == "get: shelf://a/b is gone"


def test_a_location_is_kept_as_text_without_its_credential():
    place = storekit.Location("s3+https://key:S3CR3T@host/bucket/key")
    error = storekit.NotFound("no", location=place)
    assert error.location == "s3+https://host/bucket/key"
    assert "S3CR3T" not in repr(error) + str(error) + str(vars(error))


def test_completing_an_error_fills_gaps_and_overwrites_nothing():
    error = storekit.NotFound("no", store="theirs", location="their://place")
    again = error.complete(store="ours", driver="s3", operation="get", location="our://place")
    assert again is error
    assert (error.store, error.driver, error.operation) == ("theirs", "s3", "get")
    assert error.location == "their://place"


BY_ERRNO = {
    "NotFound": ["ENOENT"],
    "Duplicate": ["EEXIST"],
    "Forbidden": ["EACCES", "EPERM", "EROFS"],
    "StorageFull": ["ENOSPC", "EDQUOT", "EFBIG"],
    "DataError": ["EIO"],
    "InUse": ["EBUSY", "ETXTBSY"],
    "InvalidArgument": ["ENAMETOOLONG"],
    "Timeout": ["ETIMEDOUT"],
    "Unavailable": ["ECONNREFUSED", "ECONNRESET", "EPIPE", "EHOSTUNREACH", "ENETUNREACH", "ESTALE"],
    "BackendError": ["EINVAL", "ENOTTY", "EXDEV", "EBADF"],
}


@pytest.mark.parametrize(
    ("name", "code"), [(name, code) for name, codes in BY_ERRNO.items() for code in codes]
)
def test_an_os_error_is_mapped_by_its_errno(name, code):
    number = getattr(errno, code)
    raised = OSError(number, f"the system says {code}", "/srv/images/x")
    error = from_exception(raised)
    assert type(error) is getattr(errors, name)
    assert f"the system says {code}" in str(error)


@pytest.mark.parametrize(
    ("raised", "name"),
    [
        (TimeoutError("late"), "Timeout"),
        (TimeoutError(), "Timeout"),
        (ConnectionError("cut"), "Unavailable"),
        (ConnectionResetError("cut"), "Unavailable"),
        (BrokenPipeError(errno.EPIPE, "cut"), "Unavailable"),
        (KeyError("x"), "BackendError"),
        (ValueError(), "BackendError"),
        (OSError("no number"), "BackendError"),
        (RuntimeError("boom"), "BackendError"),
    ],
)
def test_another_exception_is_mapped_by_its_type(raised, name):
    error = from_exception(raised)
    assert type(error) is getattr(errors, name)
    assert error.message


@pytest.mark.parametrize(
    "raised",
    [
        ssl.SSLError(ssl.SSL_ERROR_SSL, "bad record mac"),
        ssl.SSLCertVerificationError(1, "certificate verify failed"),
        ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the operation did not complete"),
        ssl.SSLError(ssl.SSL_ERROR_SYSCALL, "system call"),
        socket.herror(1, "unknown host"),
        socket.herror(2, "host name lookup failure"),
    ],
    ids=lambda raised: f"{type(raised).__name__}-{raised.errno}",
)
def test_a_number_that_is_no_errno_is_not_taken_for_one(raised):
    # OpenSSL and the resolver number their errors too: 1 is not EPERM there, 2 is not ENOENT.
    error = from_exception(raised)
    assert isinstance(error, storekit.Unavailable | storekit.BackendError)


def test_an_error_of_ours_is_passed_on_as_it_is():
    error = storekit.InUse("held")
    assert from_exception(error) is error


class Mute(Exception):
    """An exception of a third-party library that cannot even be printed."""

    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize("raised", [Mute(), OSError(errno.ENOENT, 5), OSError(errno.ENOENT, b"x")])
def test_an_exception_without_a_text_is_still_mapped(raised):
    error = from_exception(raised)
    assert isinstance(error, StoreError)
    assert str(error)
    pickle.loads(pickle.dumps(error))
