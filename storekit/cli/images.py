"""The verbs on images: add, get, info, ls, rm, cp, verify."""

from __future__ import annotations

import os
import stat
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from storekit.cli import output
from storekit.cli.download import written_aside
from storekit.cli.failures import Misuse
from storekit.cli.options import expected, store_names, verb, with_progress, with_store
from storekit.cli.progress import bar
from storekit.cli.session import Session, named
from storekit.cli.streams import about, standard_input
from storekit.location import Location
from storekit.reader import ChunkReader
from storekit.source import Data
from storekit.store import Store
from storekit.values import StoredImage

__all__ = ["add", "cp", "get", "info", "ls", "rm", "verify"]

_COUNT = click.IntRange(min=0)


@click.command()
@click.argument("file", metavar="FILE|-", type=click.Path(allow_dash=True))
@click.option("--id", "image_id", metavar="ID", help="Image id [default: the file's name].")
@click.option(
    "--store",
    metavar="S",
    shell_complete=store_names,
    help="The store [default: the default store].",
)
@expected()
@click.option("--size", metavar="N", type=_COUNT, help="Size in bytes, if it is known.")
@with_progress
@verb
def add(
    session: Session,
    file: str,
    image_id: str | None,
    store: str | None,
    expect: dict[str, str],
    size: int | None,
) -> None:
    """Store FILE, or standard input for -, as an image.

    Prints its location, size and digests. The id of what comes from standard input is a new UUID.
    """
    with session.stores() as stores, _input(file) as (data, name, found):
        target = named(stores, stores.default if store is None else store)
        new_id = image_id if image_id is not None else name
        with bar(session, new_id, found if size is None else size) as progress:
            declared = found if size is None and file == "-" else size
            stored = target.add(new_id, data, declared, expect=expect, progress=progress)
    _show(session, stored)


@click.command()
@click.argument("location")
@click.option(
    "-o", "--output", "file", metavar="FILE", help="Write to FILE [default: standard output]."
)
@click.option("--offset", metavar="N", type=_COUNT, default=0, help="First byte wanted.")
@click.option("--length", metavar="N", type=_COUNT, help="Bytes wanted [default: all].")
@expected()
@click.option("--force", is_flag=True, help="Write to standard output though it is a terminal.")
@with_store
@with_progress
@verb
def get(
    session: Session,
    location: str,
    file: str | None,
    offset: int,
    length: int | None,
    expect: dict[str, str],
    force: bool,
    store: str | None,
) -> None:
    """Read the image at LOCATION, or a part of it.

    FILE appears under its name when it is whole, and not before.
    """
    if expect and (offset or length is not None):
        raise Misuse("--expect goes with the whole image", hint="leave out --offset and --length")
    if file in {None, "-"} and not force and sys.stdout.isatty():
        raise Misuse("an image is not written to a terminal", hint="-o FILE, or --force")
    with session.stores() as stores:
        holder = session.holder(stores, location, store)
        with holder.get(location, offset, length, expect=expect) as reader:
            if file is None or file == "-":
                _to_standard_output(session, reader)
                return
            with written_aside(Path(file)) as out:
                _pour(session, reader, out.write)
    if session.json:
        output.document({"file": file, "size": reader.size})
    else:
        output.line(f"{output.printable(file)}  {output.bytes_of(reader.size)}")


@click.command()
@click.argument("location")
@with_store
@verb
def info(session: Session, location: str, store: str | None) -> None:
    """Show store, driver, id and size of the image at LOCATION."""
    with session.stores() as stores:
        holder = session.holder(stores, location, store)
        size = holder.get_size(location)
        image_id = holder.image_id(location)
    place = _shown(location)
    if session.json:
        output.document(
            {
                "location": place,
                "size": size,
                "store": holder.name,
                "driver": holder.driver,
                "image_id": image_id,
            }
        )
        return
    output.facts(
        {
            "location": place,
            "size": output.bytes_of(size),
            "store": holder.name,
            "driver": holder.driver,
            "id": output.printable(image_id),
        }
    )


@click.command()
@click.argument("store", required=False, shell_complete=store_names)
@verb
def ls(session: Session, store: str | None) -> None:
    """List the images of STORE, or of all stores."""
    with session.stores() as stores:
        found = session.gather(stores, store, Store.list)
        several = store is None and len(stores) > 1
    if session.json:
        output.document([image for _, image in found])
        return
    rows = [
        (
            output.printable(image.image_id),
            output.human_size(image.size),
            str(image.size),
            output.when(image.modified),
            *([holder.name] if several else []),
            str(image.location),
        )
        for holder, image in found
    ]
    header = ["ID", "SIZE", "BYTES", "MODIFIED", *(["STORE"] if several else []), "LOCATION"]
    output.table(header, rows, right=(1, 2))


@click.command()
@click.argument("location")
@with_store
@verb
def rm(session: Session, location: str, store: str | None) -> None:
    """Delete the image at LOCATION."""
    with session.stores() as stores:
        session.holder(stores, location, store).delete(location)
    if session.json:
        output.document({"location": _shown(location)})
    else:
        output.line(f"deleted {_shown(location)}")


@click.command()
@click.argument("location")
@click.option(
    "--to", metavar="STORE", shell_complete=store_names, required=True, help="The store to copy to."
)
@click.option("--id", "image_id", metavar="ID", help="Id of the copy [default: the same].")
@expected()
@with_store
@with_progress
@verb
def cp(
    session: Session,
    location: str,
    to: str,
    image_id: str | None,
    expect: dict[str, str],
    store: str | None,
) -> None:
    """Copy the image at LOCATION to another store."""
    with session.stores() as stores:
        target = named(stores, to)
        holder = session.holder(stores, location, store)
        # The bytes may never pass through here, so there is nothing to count.
        with bar(session, _shown(location), None, counted=False):
            stored = holder.copy(location, target, image_id, expect=expect)
    _show(session, stored)


@click.command()
@click.argument("location")
@expected(required=True)
@with_store
@with_progress
@verb
def verify(session: Session, location: str, expect: dict[str, str], store: str | None) -> None:
    """Read the whole image at LOCATION and compare its digests."""
    with session.stores() as stores:
        holder = session.holder(stores, location, store)
        # As Store.verify does it, with a bar.
        with holder.get(location, expect=expect) as reader:
            _pour(session, reader, lambda _: None)
            digests = reader.digests
    if session.json:
        output.document({"location": _shown(location), "digests": digests})
    else:
        output.facts(digests)


def _show(session: Session, stored: StoredImage) -> None:
    if session.json:
        output.document(stored)
        return
    output.facts(
        {
            "location": str(stored.location),
            "store": stored.store,
            "size": output.bytes_of(stored.size),
            **stored.digests,
        }
    )


def _shown(location: str) -> str:
    """Write a location without the credential that an old one may hold."""
    return str(Location(location))


@contextmanager
def _input(file: str) -> Iterator[tuple[Data, str, int | None]]:
    """Give the data of FILE, an id made of its name, and its size where it is known."""
    if file == "-":
        with about("standard input"), standard_input() as stdin:
            yield stdin, str(uuid.uuid4()), _size_left(stdin.fileno())
        return
    path = Path(file)
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise Misuse(f"{file}: {error.strerror}", hint="FILE must be there") from error
    if stat.S_ISDIR(status.st_mode):
        raise Misuse(f"{file} is a directory", hint="an image is one file")
    with about(file):
        yield path, path.name, status.st_size if stat.S_ISREG(status.st_mode) else None


def _size_left(descriptor: int) -> int | None:
    """Tell how much of a redirected file is left; None where it may be more than it says."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return None
    left = status.st_size - os.lseek(descriptor, 0, os.SEEK_CUR)
    # The files of /proc say 0 and hold more.
    return left if left > 0 else None


def _to_standard_output(session: Session, reader: ChunkReader) -> None:
    if sys.stdout.isatty():
        session.progress = False
    _pour(session, reader, sys.stdout.buffer.write)
    sys.stdout.buffer.flush()


def _pour(session: Session, reader: ChunkReader, write: Callable[[bytes], object]) -> None:
    count = 0
    with bar(session, str(reader.location), reader.size) as progress:
        for chunk in reader:
            write(chunk)
            count += len(chunk)
            progress(count)
