"""How a server is verified."""

import ssl
import warnings

import pytest
import trustme
from servers.scripted import head, scripted

import storekit
from storekit import ConfigurationError, Forbidden, Unavailable

from .conftest import SIZE


def test_a_server_is_verified_against_the_given_certificates(site, open_web, image):
    web = open_web(ca_file=site.ca)
    assert web.get_size(f"{site.tls}/image") == SIZE
    assert web.get(f"{site.tls}/image").read() == image
    assert web.get(f"{site.tls}/image", offset=7, length=9).read() == image[7:16]


@pytest.mark.parametrize("which", ["tls_other", "expired"])
def test_a_certificate_of_another_name_or_time_is_refused(site, open_web, which):
    web = open_web(ca_file=site.ca, max_attempts=5)
    for verb in (web.get, web.get_size):
        with pytest.raises(Forbidden, match="certificate") as caught:
            verb(f"{getattr(site, which)}/image")
        assert not caught.value.retriable


def test_an_unknown_authority_is_refused(site, web):
    with pytest.raises(Forbidden, match="certificate"):
        web.get(f"{site.tls}/image")


def test_the_name_of_the_location_is_verified_not_the_address(open_web, tmp_path):
    """The name is looked up by us, and still is what the server is asked for and verified by."""
    names = []
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    web = open_web(ca_file=tmp_path / "ca.pem", allow_hosts=["localhost"])

    def small(exchange):
        exchange.send(head(200, {"Content-Length": 5}) + b"image")

    with scripted(small, tls=context) as server:
        assert web.get(f"https://localhost:{server.port}/a").read() == b"image"
        assert server.requests[0].headers["host"] == f"localhost:{server.port}"
        with pytest.raises(Forbidden, match="certificate"):
            web.get(f"https://127.0.0.1:{server.port}/a")
    assert names[0] == "localhost"


def test_a_server_need_not_be_verified_if_the_operator_says_so(site, open_web, image):
    web = open_web(insecure=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for base in (site.tls, site.tls_other, site.expired):
            assert web.get(f"{base}/image").read() == image


def test_a_redirect_is_verified_too(site, open_web, image):
    def there(exchange):
        place = f"{target}/image"
        exchange.send(head(302, {"Location": place, "Content-Length": 0}))

    web = open_web(ca_file=site.ca)
    with scripted(there) as server:
        target = site.tls
        assert web.get(f"{server.url}/a").read() == image
        target = site.expired
        with pytest.raises(Forbidden, match="expired"):
            web.get(f"{server.url}/a")


def test_a_server_that_speaks_no_tls_is_unavailable(site, open_web):
    web = open_web(max_attempts=1)
    with pytest.raises(Unavailable, match="TLS"):
        web.get(f"https://{site.url[7:]}/image")


@pytest.mark.parametrize("content", [None, "no certificates"])
def test_certificates_that_cannot_be_read_are_a_mistake(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca_file .*ca\.pem"):
        storekit.open_store("http", ca_file=str(file))
