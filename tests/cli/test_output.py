"""How sizes and names are written."""

import pytest

from storekit.cli import output


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (21_692_416, "20.7 MiB"),
        ((1 << 63) - 1, "8.0 EiB"),
        (1 << 80, "1048576.0 EiB"),
    ],
)
def test_a_size_is_written_for_people(size, text):
    assert output.human_size(size) == text


def test_a_size_is_written_both_ways_where_they_differ():
    assert [output.bytes_of(size) for size in (0, 1, 1000, 1536)] == [
        "0 bytes",
        "1 byte",
        "1000 bytes",
        "1.5 KiB (1536 bytes)",
    ]


def test_what_cannot_be_shown_is_escaped():
    assert output.printable("a\x1bb\udcff\u202ec") == r"a\x1bb\udcff\u202ec"
    assert output.printable("Größe 大") == "Größe 大"
    assert output.one_line("a\n  b\tc") == "a b c"


def test_columns_are_aligned_by_what_is_seen(capsys):
    output.table(["ID", "N"], [["大きい", "1"], ["e\u0301", "22"]], right=(1,))
    assert capsys.readouterr().out.splitlines() == [
        "ID       N",
        "大きい   1",
        "e\u0301       22",
    ]
