"""Encryption by the server with a key of ours: where the key goes, and where it must not go."""

import base64
import hashlib
import ssl

import pytest
import trustme
from botocore.exceptions import ClientError
from servers.scripted import head, scripted

from storekit import ConfigurationError
from storekit.drivers.s3 import S3Driver
from storekit.drivers.s3.bucket import Bucket
from storekit.drivers.s3.options import Options

KEY = bytes(range(32))
CUSTOMER = {
    "bucket": "images",
    "access_key": "an-access-key",
    "secret_key": "a-secret-key-0123456789",
    "sse": "customer",
    "sse_customer_key": base64.b64encode(KEY).decode(),
}
HEADER = "x-amz-server-side-encryption-customer-"


def refuse(exchange):
    # Not closed: a body that nobody has read would break the connection before the answer.
    exchange.send(head(403, {"Content-Length": 0}))


@pytest.fixture
def server(tmp_path):
    """An https server whose authority is in ``ca.pem``."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with scripted(refuse, tls=context) as server:
        yield server


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("put_object", {"Body": b"image"}),
        ("create_multipart_upload", {}),
        ("upload_part", {"UploadId": "u", "PartNumber": 1, "Body": b"image"}),
        ("complete_multipart_upload", {"UploadId": "u", "MultipartUpload": {"Parts": []}}),
        ("get_object", {}),
        ("head_object", {}),
    ],
)
def test_the_key_itself_goes_with_all_that_touches_the_data(
    server, tmp_path, operation, parameters
):
    options = Options(endpoint=server.url, ca_file=tmp_path / "ca.pem", **CUSTOMER)
    bucket = Bucket(options, S3Driver("objects", options).limits)
    with pytest.raises(ClientError):
        bucket.call(operation, Key="a", **parameters)
    bucket.close()
    (request,) = server.requests
    sent = {name: request.headers.get(HEADER + name, "") for name in ("key", "key-md5")}
    assert request.headers[f"{HEADER}algorithm"] == "AES256"
    assert base64.b64decode(sent["key"]) == KEY
    assert base64.b64decode(sent["key-md5"]) == hashlib.md5(KEY).digest()


def test_the_key_never_goes_to_an_endpoint_in_clear_text_that_boto3_finds(monkeypatch):
    with scripted(refuse) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        driver = S3Driver("objects", Options(**CUSTOMER))
        with pytest.raises(ConfigurationError, match="needs an https endpoint") as caught:
            driver.open()
        assert "AWS_ENDPOINT_URL_S3" in caught.value.hint
        assert server.requests == []
