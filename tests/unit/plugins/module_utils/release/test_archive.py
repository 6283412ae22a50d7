# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are read with suspicion: sound ones come out whole, all others not at all."""

from __future__ import annotations

import gzip
import io
import os
import pathlib
import tarfile
import tempfile
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.archives import archive, device, fifo, hard_link, recompressed, symlink

from ansible_collections.steady.rollout.plugins.module_utils.release.archive import ArtifactError, inspect, unpack
from ansible_collections.steady.rollout.plugins.module_utils.release.pack import pack


def unpacked(path: pathlib.Path, tree: pathlib.Path, strip: int = 0) -> dict[str, str]:
    """The tree that comes out: contents of files and targets of links."""
    tree.mkdir()
    unpack(str(path), strip, str(tree))
    return contents(tree)


def contents(tree: pathlib.Path) -> dict[str, str]:
    found = {}
    for place in sorted(tree.rglob("*")):
        name = str(place.relative_to(tree))
        if place.is_symlink():
            found[name] = f"-> {os.readlink(place)}"
        elif place.is_file():
            found[name] = place.read_text()
        else:
            found[name] = "/"
    return found


def refusal(path: pathlib.Path, strip: int = 0) -> str:
    with pytest.raises(ArtifactError) as refused:
        inspect(str(path), strip, path.name)
    return refused.value.message


def test_files_directories_and_links(tmp_path: pathlib.Path) -> None:
    sound = archive(
        tmp_path / "a.tar.gz",
        {"./": None, "./bin/app": "run", "lib": None, "current": symlink("bin/app"), "same": hard_link("bin/app")},
    )
    assert unpacked(sound, tmp_path / "tree") == {
        "bin": "/",
        "bin/app": "run",
        "lib": "/",
        "current": "-> bin/app",
        "same": "run",
    }


def test_strip_leaves_out_leading_directories(tmp_path: pathlib.Path) -> None:
    sound = archive(
        tmp_path / "a.tar.gz",
        [("shop-1", None), ("shop-1/app", "run"), ("README", "x"), ("shop-1/b", hard_link("shop-1/app"))],
    )
    assert unpacked(sound, tmp_path / "tree", strip=1) == {"app": "run", "b": "run"}


def test_modes_lose_what_is_dangerous(tmp_path: pathlib.Path) -> None:
    def loose(member: tarfile.TarInfo) -> None:
        member.mode = 0o6777

    def closed(member: tarfile.TarInfo) -> None:
        member.type, member.mode = tarfile.DIRTYPE, 0o700

    tree = tmp_path / "tree"
    unpacked(archive(tmp_path / "a.tar.gz", [("a", loose), ("b", closed), ("c/d", "x")]), tree)
    assert [oct(os.stat(tree / name).st_mode & 0o7777) for name in ("a", "b", "c")] == ["0o755", "0o700", "0o755"]


def test_the_later_of_two_files_counts(tmp_path: pathlib.Path) -> None:
    assert unpacked(archive(tmp_path / "a.tar.gz", [("a", "old"), ("a", "new")]), tmp_path / "tree") == {"a": "new"}


def test_a_plain_tar_is_fine(tmp_path: pathlib.Path) -> None:
    packed = archive(tmp_path / "a.tar.gz", {"a": "x"})
    plain = tmp_path / "a.tar"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    assert unpacked(plain, tmp_path / "tree") == {"a": "x"}
    assert inspect(str(plain), 0) == inspect(str(packed), 0)


UNSAFE: list[tuple[list[tuple[str, t.Any]], str]] = [
    ([("../x", "a")], "'../x' leads out of the release"),
    ([("a/../../x", "a")], "'a/../../x' leads out of the release"),
    ([("/etc/passwd", "a")], "'/etc/passwd' is an absolute path"),
    ([("l", symlink("/etc"))], "'l' is a link to '/etc', which is outside of the release"),
    ([("a/l", symlink("../../x"))], "'a/l' is a link to '../../x', which is outside of the release"),
    ([("l", symlink(".")), ("l/x", "a")], "'l/x' is below 'l', which is a link"),
    ([("f", "a"), ("f/x", "a")], "'f/x' is below 'f', which is a file"),
    ([("l/x", "a"), ("l", symlink("."))], "'l' appears twice, as a directory and as a link"),
    ([("l", symlink("x")), ("l", "a")], "'l' appears twice, as a link and as a file"),
    ([("h", hard_link("/etc/passwd"))], "'/etc/passwd' is an absolute path"),
    ([("h", hard_link("../x"))], "'../x' leads out of the release"),
    ([("h", hard_link("nothing"))], "'h' is a hard link to 'nothing', which is no file before it"),
    ([("l", symlink("x")), ("h", hard_link("l"))], "'h' is a hard link to 'l', which is no file before it"),
    ([("null", device)], "'null' is neither a file, a directory nor a link"),
    ([("pipe", fifo)], "'pipe' is neither a file, a directory nor a link"),
]


@pytest.mark.parametrize(("members", "reason"), UNSAFE)
def test_unsafe_members(tmp_path: pathlib.Path, members: list[tuple[str, t.Any]], reason: str) -> None:
    bad = archive(tmp_path / "a.tar.gz", [("good", "x"), *members])
    sentence = f"a.tar.gz is not a valid tar.gz: {reason}. Build or copy it again; nothing was changed."
    assert refusal(bad) == sentence
    (tmp_path / "tree").mkdir()
    with pytest.raises(ArtifactError):
        unpack(str(bad), 0, str(tmp_path / "tree"))
    assert not [place for place in (tmp_path / "tree").rglob("*") if place.is_symlink()]


def test_links_that_lead_out_only_together(tmp_path: pathlib.Path) -> None:
    bad = archive(
        tmp_path / "a.tar.gz",
        [("d/e", None), ("up", symlink("d/e")), ("d/e/out", symlink("../../up/../../..")), ("f", "x")],
    )
    (tmp_path / "tree").mkdir()
    with pytest.raises(ArtifactError) as refused:
        unpack(str(bad), 0, str(tmp_path / "tree"), "a.tar.gz")
    assert "outside of the release" in refused.value.message or "leads out" in refused.value.message


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.tar.gz is not a valid tar.gz: it is empty. Build or copy it again; nothing was changed."),
        (b"\x1f\x8b", "a.tar.gz is not a valid tar.gz: "),
        (b"<html>not found</html>", "a.tar.gz is not a valid tar.gz: it is truncated or damaged after 0 bytes ("),
        (gzip.compress(b"x" * 5000), "a.tar.gz is not a valid tar.gz: it is truncated or damaged after 0 bytes ("),
        (gzip.compress(bytes(10240)), "a.tar.gz: nothing is in it, so it is not a release."),
    ],
    ids=["empty", "only a signature", "HTML", "no tar inside", "no member inside"],
)
def test_other_files(tmp_path: pathlib.Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(content)
    assert refusal(path).startswith(sentence)


def test_unpacking_proves_the_end_as_well(tmp_path: pathlib.Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {"a": "x"})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ArtifactError):
        unpacked(path, tmp_path / "tree")


def test_nothing_left_after_strip(tmp_path: pathlib.Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {"a": "x"})
    assert refusal(path, strip=1) == "a.tar.gz: nothing is in it after strip, so it is not a release."


WHOLE = {f"file{number}": bytes([number]) * 700 for number in range(6)}


@given(st.data())
def test_a_damaged_archive_never_passes(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = archive(pathlib.Path(directory) / "a.tar.gz", dict(WHOLE))
        sound = path.read_bytes()
        expected = inspect(str(path), 0).content
        if data.draw(st.booleans(), label="cut"):
            path.write_bytes(sound[: data.draw(st.integers(0, len(sound) - 1))])
            refusal(path)
            return
        place = data.draw(st.integers(0, len(sound) - 1))
        path.write_bytes(sound[:place] + bytes([sound[place] ^ data.draw(st.integers(1, 255))]) + sound[place + 1 :])
        try:
            found = inspect(str(path), 0).content
        except ArtifactError:
            return
        assert found == expected, "only a flag or the time in the compression's own header may differ"


@given(st.data())
def test_a_cut_or_damaged_plain_tar_never_passes_as_shorter(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        packed = archive(pathlib.Path(directory) / "a.tar.gz", dict(WHOLE))
        sound = gzip.decompress(packed.read_bytes())
        path = pathlib.Path(directory) / "a.tar"
        end_marker = 6 * (512 + 1024)
        path.write_bytes(sound[: data.draw(st.integers(0, end_marker + 511))])
        refusal(path)
        header = 1536 * data.draw(st.integers(1, 5)) + data.draw(st.integers(0, 147))
        path.write_bytes(sound[:header] + bytes([sound[header] ^ 255]) + sound[header + 1 :])
        refusal(path)


def test_the_same_files_have_the_same_content(tmp_path: pathlib.Path) -> None:
    first = archive(tmp_path / "a.tar.gz", {"a": "x"})
    second = recompressed(first, tmp_path / "b.tar.gz")
    assert first.read_bytes() != second.read_bytes()
    assert inspect(str(first), 0) == inspect(str(second), 0)


def test_a_directory_packs_to_the_same_archive_whatever_its_times(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "app").write_text("run")
    (source / "bin" / "app").chmod(0o755)
    (source / "empty").mkdir()
    (source / "link").symlink_to("bin/app")
    first = pack(str(source), str(tmp_path / "a.tar.gz"))
    os.utime(source / "bin" / "app", (1, 1))
    second = pack(str(source), str(tmp_path / "b.tar.gz"))
    assert first == second == inspect(str(tmp_path / "a.tar.gz"), 0).content
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    assert unpacked(tmp_path / "a.tar.gz", tmp_path / "tree") == contents(source)
    assert os.access(tmp_path / "tree" / "bin" / "app", os.X_OK)
    assert os.stat(tmp_path / "tree" / "bin" / "app").st_mtime > 1_000_000_000


def with_attributes(archive_path: pathlib.Path, attributes: dict[str, str]) -> pathlib.Path:
    """An archive whose one file has extended attributes, which count instead of its header."""
    with tarfile.open(archive_path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a")
        member.size, member.pax_headers = 1, attributes
        tar.addfile(member, io.BytesIO(b"x"))
    return archive_path


SOUND = "Build or copy it again; nothing was changed."


@pytest.mark.parametrize("size", ["100000000000000000000", "1000000000000000", "-1", "-100000000000000000000"])
def test_a_size_that_nothing_has_is_not_skipped_for_ever(tmp_path: pathlib.Path, size: str) -> None:
    """An archive of 147 bytes kept a host busy for hours."""
    message = refusal(with_attributes(tmp_path / "a.tar.gz", {"size": size}))
    assert message == (f"a.tar.gz is not a valid tar.gz: 'a' claims {size} bytes, more than max_size allows. {SOUND}")


def test_a_few_bytes_that_unpack_to_many_end_early(tmp_path: pathlib.Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {"zeros": b"\0" * 1_000_000})
    with pytest.raises(ArtifactError, match="'zeros' claims 1000000 bytes, more than max_size allows"):
        inspect(str(path), 0, largest=100_000)


def test_what_follows_the_end_of_an_archive_counts_too(tmp_path: pathlib.Path) -> None:
    path = archive(tmp_path / "a.tar.gz", {"a": b"x"})
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"\0" * 1_000_000))
    with pytest.raises(ArtifactError, match="unpacked it is larger than max_size allows"):
        inspect(str(path), 0, largest=100_000)


def test_attributes_longer_than_any_name_are_not_read_into_memory(tmp_path: pathlib.Path) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.XHDTYPE, 2**33
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    assert refusal(path) == f"a.tar is not a valid tar.gz: a header claims 8589934592 bytes. {SOUND}"


def test_headers_without_end_end_in_no_recursion(tmp_path: pathlib.Path) -> None:
    header = tarfile.TarInfo("more")
    header.type, header.size = tarfile.XHDTYPE, 0
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) * 5000)
    assert "is not a valid tar.gz" in refusal(path)


@pytest.mark.parametrize("name", ["/".join("d" * 2000), "n" * 300, "\u6771" * 90, "/".join(["n" * 200] * 20), "a\0b"])
def test_paths_that_no_file_system_takes(tmp_path: pathlib.Path, name: str) -> None:
    assert "is not a usable path: at most 3000 bytes, 100 levels and 255 bytes a name" in refusal(
        with_attributes(tmp_path / "a.tar.gz", {"path": name})
    )


def test_names_that_no_encoding_takes_are_names_all_the_same(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.tar"
    header = tarfile.TarInfo("bytes-\udcff\udcfe")
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + b"\0" * 1024)
    assert list(unpacked(path, tmp_path / "tree")) == ["bytes-\udcff\udcfe"]


def test_links_that_lead_out_only_through_one_another(tmp_path: pathlib.Path) -> None:
    """Each is inside as it is written: up is the top, and beyond is what lies above it."""
    bad = archive(
        tmp_path / "a.tar.gz",
        [("a/b", None), ("a/b/up", symlink("../..")), ("beyond", symlink("a/b/up/..")), ("f", "x")],
    )
    assert inspect(str(bad), 0).files == 4
    (tmp_path / "tree").mkdir()
    with pytest.raises(ArtifactError) as refused:
        unpack(str(bad), 0, str(tmp_path / "tree"), "a.tar.gz")
    assert refused.value.message == (
        "a.tar.gz is not a valid tar.gz: 'beyond' is a link that leads out of the release. "
        "Build or copy it again; nothing was changed."
    )
