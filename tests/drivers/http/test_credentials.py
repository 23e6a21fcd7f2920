"""Who is sent a credential, and where it must never be seen."""

import base64
import logging
import pickle
import traceback

import pytest
from servers.nginx import PASSWORD, USER
from servers.scripted import head, scripted

import storekit
from storekit import ConfigurationError, NotAuthenticated, StoreError

from .conftest import SIZE

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def with_user(url, userinfo="reader:correct%20horse"):
    scheme, rest = url.split("://", 1)
    return f"{scheme}://{userinfo}@{rest}"


def sent_to(site, since):
    return {(hit.path, hit.authorization) for hit in site.hits()[since:]}


def test_the_user_info_of_a_location_is_its_credential(site, web, image):
    location = with_user(f"{site.url}/auth/image")
    assert web.get_size(location) == SIZE
    assert web.get(location).read() == image


def test_a_wrong_credential_is_not_accepted(site, web):
    for location in (f"{site.url}/auth/image", with_user(f"{site.url}/auth/image", "reader:no")):
        with pytest.raises(NotAuthenticated):
            web.get(location)


@pytest.mark.parametrize(
    ("userinfo", "sent"),
    [
        ("user:pass", b"user:pass"),
        ("user", b"user:"),
        ("user:a:b", b"user:a:b"),
        ("us%65r:p%40ss%3A%2F", b"user:p@ss:/"),
        ("\u00fc:%C3%BC", "\u00fc:\u00fc".encode()),
        (":pass", b":pass"),
    ],
)
def test_user_info_is_decoded(web, userinfo, sent):
    with scripted(lambda exchange: exchange.send(head(404, {"Content-Length": 0}))) as server:
        with pytest.raises(storekit.NotFound):
            web.get(with_user(f"{server.url}/a", userinfo))
        scheme, _, value = server.requests[0].headers["authorization"].partition(" ")
        assert scheme == "Basic"
        assert base64.b64decode(value) == sent


def test_empty_user_info_is_no_credential(web):
    with scripted(lambda exchange: exchange.send(head(404, {"Content-Length": 0}))) as server:
        with pytest.raises(storekit.NotFound):
            web.get(with_user(f"{server.url}/a", ""))
        assert "authorization" not in server.requests[0].headers


def test_a_credential_is_sent_to_its_own_origin_also_after_a_redirect(site, web, image):
    assert web.get(with_user(f"{site.url}/redirect/302/auth/image")).read() == image


@pytest.mark.parametrize("path", ["/cross/auth/image", "/inner/auth/image"])
def test_a_credential_does_not_follow_to_another_host(site, web, path):
    since = len(site.hits())
    for verb in (web.get, web.get_size):
        with pytest.raises(NotAuthenticated):
            verb(with_user(f"{site.url}{path}"))
    assert sent_to(site, since) == {(path, BASIC), ("/auth/image", "-")}


def test_a_credential_does_not_follow_from_https_to_http(site, open_web):
    web = open_web(ca_file=site.ca)
    since = len(site.hits())
    with pytest.raises(NotAuthenticated):
        web.get(with_user(f"{site.tls}/plain/auth/image"))
    assert sent_to(site, since) == {("/plain/auth/image", BASIC), ("/auth/image", "-")}


def test_a_credential_does_not_follow_to_another_port(web):
    def there(exchange):
        exchange.send(head(302, {"Location": f"{other.url}/b", "Content-Length": 0}))

    def refuse(exchange):
        exchange.send(head(401, {"Content-Length": 0}))

    with scripted(refuse) as other, scripted(there) as server:
        with pytest.raises(NotAuthenticated):
            web.get(with_user(f"{server.url}/a"))
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers


def test_the_user_info_of_a_redirect_is_not_used(web):
    def back(exchange):
        if exchange.request.target == "/a":
            place = with_user(f"{exchange.server.url}/b", "evil:word")
            exchange.send(head(302, {"Location": place, "Content-Length": 0}))
        else:
            exchange.send(head(404, {"Content-Length": 0}))

    with scripted(back) as server:
        with pytest.raises(storekit.NotFound):
            web.get(f"{server.url}/a")
        assert [("authorization" in request.headers) for request in server.requests] == [
            False,
            False,
        ]


def test_the_configured_credential_goes_to_allowed_hosts_only(site, open_web, image):
    web = open_web(allow_hosts=["127.0.0.1"], username=USER, password=PASSWORD)
    assert web.get(f"{site.url}/auth/image").read() == image
    since = len(site.hits())
    with pytest.raises(NotAuthenticated):
        web.get(f"{site.other}/auth/image")
    with pytest.raises(NotAuthenticated):
        web.get(f"{site.url}/cross/auth/image")
    assert sent_to(site, since) == {("/auth/image", "-"), ("/cross/auth/image", BASIC)}


def test_the_configured_credential_does_not_follow_from_https_to_http(site, open_web):
    web = open_web(allow_hosts=["127.0.0.1"], username=USER, password=PASSWORD, ca_file=site.ca)
    since = len(site.hits())
    with pytest.raises(NotAuthenticated):
        web.get(f"{site.tls}/plain/auth/image")
    assert sent_to(site, since) == {("/plain/auth/image", BASIC), ("/auth/image", "-")}


def test_the_user_info_of_a_location_goes_before_the_configured_credential(site, open_web):
    web = open_web(allow_hosts=["127.0.0.1"], username=USER, password=PASSWORD)
    with pytest.raises(NotAuthenticated):
        web.get(with_user(f"{site.url}/auth/image", "reader:wrong"))


@pytest.mark.parametrize(
    "options",
    [
        {"username": "u", "password": "p"},
        {"username": "u", "allow_hosts": ["h"]},
        {"password": "p", "allow_hosts": ["h"]},
    ],
)
def test_half_a_credential_is_a_mistake(options):
    with pytest.raises(ConfigurationError, match="username and password"):
        storekit.open_store("http", **options)


def test_no_secret_is_shown(site, open_web, caplog):
    caplog.set_level(logging.DEBUG)
    web = open_web(allow_hosts=["127.0.0.2"], username="oper", password="canary-one")
    place = storekit.Location(with_user(f"{site.url}/auth/image", "reader:canary%2Dtwo"))
    shown = [repr(web), str(place), repr(place)]
    for location in (
        place,
        str(place).replace("://", "://reader:canary%2Dtwo@"),
        with_user(f"{site.url}/cross/auth/image", "reader:canary%2Dtwo"),
        with_user(f"{site.url}/loop", "reader:canary%2Dtwo"),
        with_user("http://10.0.0.1/a", "reader:canary%2Dtwo"),
        with_user("http://127.0.0.1:1/a", "reader:canary%2Dtwo"),
        with_user("http://127.0.0.1:x/a", "reader:canary%2Dtwo"),
        f"{site.other}/auth/image2",
        f"{site.other}/loop",
    ):
        for verb in (web.get, web.get_size):
            with pytest.raises(StoreError) as caught:
                verb(location)
            error = caught.value
            shown += [str(error), repr(error), str(error.location), repr(vars(error))]
            shown.append("".join(traceback.format_exception(error)))
            shown.append(str(pickle.loads(pickle.dumps(error))))
    shown += [record.getMessage() for record in caplog.records]
    text = "\n".join(shown)
    tokens = [
        base64.b64encode(pair).decode() for pair in (b"oper:canary-one", b"reader:canary-two")
    ]
    for secret in ("canary-one", "canary-two", "canary%2Dtwo", *tokens):
        assert secret not in text


def test_nothing_of_the_environment_is_used(site, open_web, tmp_path, monkeypatch, image):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {USER} password correct-horse\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(site.ca))
    web = open_web()
    assert web.get(f"{site.url}/image").read() == image
    since = len(site.hits())
    with pytest.raises(NotAuthenticated):
        web.get(f"{site.url}/auth/image")
    assert sent_to(site, since) == {("/auth/image", "-")}
    with pytest.raises(storekit.Forbidden, match="certificate"):
        web.get(f"{site.tls}/image")


def test_cookies_are_not_kept(web):
    def give(exchange):
        exchange.send(head(404, {"Set-Cookie": "session=1", "Content-Length": 0}))

    with scripted(give) as server:
        for _ in range(2):
            with pytest.raises(storekit.NotFound):
                web.get(f"{server.url}/a")
        assert ["cookie" in request.headers for request in server.requests] == [False, False]
