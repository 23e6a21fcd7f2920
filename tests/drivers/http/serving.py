"""Scripts of a sound server, to be broken one way at a time."""

import random

from servers.scripted import head

IMAGE = random.Random(11).randbytes(300_007)
TAG = '"v1"'


def answer(exchange, image=IMAGE, tag=TAG, **changed):
    """Answer as RFC 9110 has it: HEAD, GET, Range, If-Range.

    Args:
        exchange: The request.
        image: The bytes.
        tag: The entity tag; None for none.
        changed: Headers with other values, ``_`` for ``-``; None leaves one out.
    """
    status, headers, body = sound(exchange.request, image, tag)
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    exchange.send(head(status, {k: v for k, v in headers.items() if v is not None}) + body)


def sound(request, image=IMAGE, tag=TAG):
    """Give status, headers and body of the right answer."""
    total = len(image)
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    condition = request.headers.get("if-range")
    part = request.range if condition in (None, tag) else None
    if part is None:
        body = b"" if request.method == "HEAD" else image
        return 200, headers | {"Content-Length": total}, body
    first, last = part
    last = total - 1 if last is None else min(last, total - 1)
    if first >= total:
        return 416, {"Content-Length": 0, "Content-Range": f"bytes */{total}"}, b""
    body = image[first : last + 1]
    shown = {"Content-Range": f"bytes {first}-{last}/{total}", "Content-Length": len(body)}
    return 206, headers | shown, body


def cut(after, end="close", image=IMAGE, tag=TAG):
    """Make a script whose body breaks off.

    Args:
        after: After how many bytes of the body.
        end: What then: the name of a method of ``Exchange``.
        image: The bytes.
        tag: The entity tag.
    """

    def script(exchange):
        status, headers, body = sound(exchange.request, image, tag)
        shown = {name: value for name, value in headers.items() if value is not None}
        exchange.send(head(status, shown) + body[:after])
        getattr(exchange, end)()

    return script


def only(status, **headers):
    """Make a script that answers with a status and no body."""
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.send(head(status, {"Content-Length": 0} | shown))
