"""The table of servers in the driver's page is what the servers do."""

import importlib.metadata
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conformance import test_s3
from servers import golang

from storekit import Capability

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs/drivers/s3.md"
BEGIN, END = "<!-- servers: begin -->\n", "<!-- servers: end -->"
HEAD = (
    "| server | `If-None-Match` on a put | on a completion | CRC32 of a part | `EXCLUSIVE_ADD` |"
    " level in CI |\n| --- | --- | --- | --- | --- | --- |\n"
)


def test_the_table_of_servers_says_what_they_do(versity, radosgw, moto, open_s3):
    told = subprocess.run(["radosgw", "--version"], capture_output=True, text=True, check=True)
    versions = [
        f"versitygw {short(golang.binary('versitygw'))}",  # the path tells; the program does not
        f"radosgw {short(told.stdout)}",
        f"moto {short(importlib.metadata.version('moto'))}",
    ]
    servers = [versity, radosgw, moto]
    suites = [test_s3.TestVersitygw, test_s3.TestRadosgw, test_s3.TestMoto]
    table = HEAD + "".join(
        row(server, version, suite, open_s3)
        for server, version, suite in zip(servers, versions, suites, strict=True)
    )
    written = PAGE.read_text(encoding="utf-8")
    assert BEGIN + table + END in written, f"the table of {PAGE.name} should be:\n{table}"


def row(server, name, suite, open_s3):
    bucket = server.new_bucket()
    with suppress(ClientError):
        server.s3.put_object(Bucket=bucket, Key="taken", Body=b"")
    told = [refuses(server.s3.put_object, bucket, Body=b"other"), completion(server, bucket)]
    upload = begin(server, bucket, ChecksumAlgorithm="CRC32")
    told.append("ChecksumCRC32" in part(server, upload))
    store = open_s3(server, bucket, conditional_writes="auto")
    store.add("asks", b"an image")
    told.append(Capability.EXCLUSIVE_ADD in store.capabilities)
    answers = " | ".join("yes" if answer else "no" for answer in told)
    return f"| {name} | {answers} | {suite.level} |\n"


def refuses(ask, bucket, **parameters):
    try:
        ask(Bucket=bucket, Key="taken", IfNoneMatch="*", **parameters)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    return False


def begin(server, bucket, **parameters):
    upload = server.s3.create_multipart_upload(Bucket=bucket, Key="taken", **parameters)
    return {"Bucket": bucket, "Key": "taken", "UploadId": upload["UploadId"]}


def part(server, upload):
    return server.s3.upload_part(**upload, PartNumber=1, Body=b"a part")


def completion(server, bucket):
    upload = begin(server, bucket)
    parts = [{"PartNumber": 1, "ETag": part(server, upload)["ETag"]}]
    del upload["Bucket"], upload["Key"]
    return refuses(
        server.s3.complete_multipart_upload, bucket, **upload, MultipartUpload={"Parts": parts}
    )


def short(text):
    return re.search(r"\d+\.\d+", text)[0]
