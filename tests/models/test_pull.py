"""Pulling other people's weights: licence first, whole or not at all. The hub is a server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from fetalclip import cards
from fetalclip.cli import main
from fetalclip.errors import BadCheckpoint, ModelNotFound, NotAvailable, OutputError, UsageError
from fetalclip.models import hub as hub_module
from fetalclip.models import openclip, pull

NAME, FILE = "fetalclip-vit-l-14", "FetalCLIP_weights.pt"
COMMIT = "c0ffee" * 6 + "0123"


class Terminal(StringIO):
    """A keyboard with an answer typed ahead."""

    def isatty(self) -> bool:
        return True


def cache() -> Path:
    return Path(os.environ["FETALCLIP_CACHE"])


def left() -> list[str]:
    """Every file in the cache folder, but for kept hashes."""
    files = (path.relative_to(cache()).as_posix() for path in cache().rglob("*") if path.is_file())
    return sorted(name for name in files if name.startswith(("models", "downloads")))


def fill_hub_cache(hub, data: bytes, named: bytes | None = None) -> Path:
    """Put a file where the hub's own client keeps it; ``named`` is what its name is the hash of."""
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE) / ("models--" + hub.repository.replace("/", "--"))
    blob = root / "blobs" / hashlib.sha256(data if named is None else named).hexdigest()
    pointer = root / "snapshots" / COMMIT / FILE
    for path in (blob, pointer, root / "refs" / "main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    pointer.symlink_to(blob)
    (root / "refs" / "main").write_text(COMMIT)
    return pointer


def describe(hub, data: bytes) -> None:
    hub.files[FILE] = data


def test_accepted_it_becomes_a_model_known_by_name(hub, checkpoint, capsys):
    assert main(["models", "pull", NAME, "--accept-license", "--json"]) == 0
    out, err = capsys.readouterr()
    made = json.loads(out)
    assert made["schema"] == "fetalclip.pull/1"
    assert (made["license"], made["repository"], made["file"]) == ("CC-BY-NC-4.0", hub.repository, FILE)
    assert (made["commit"], made["bytes"]) == (COMMIT, len(checkpoint))
    assert made["sha256"] == hashlib.sha256(checkpoint).hexdigest()
    assert made["fetched"] is True
    assert "CC BY-NC 4.0" in err
    assert "not commercial" in err
    assert f"{len(checkpoint) / 1e6:,.1f} MB" in err
    card = cards.get_card(NAME)
    assert card.available
    assert card.folder == cache() / "models" / NAME == Path(made["folder"])
    assert (card.license, card.hub) == ("CC-BY-NC-4.0", hub.repository)
    assert COMMIT[:12] in card.summary
    assert left() == [f"models/{NAME}/{name}" for name in sorted(path.name for path in card.folder.iterdir())]


def test_the_model_answers_as_the_checkpoint_does(hub, checkpoint):
    import fetalclip

    pull.pull(pull.offer(NAME), accepted=True)
    state = torch.load(BytesIO(checkpoint), weights_only=True)
    loaded = openclip.unname(fetalclip.load(NAME).encoder.model.state_dict())
    assert set(loaded) == set(state)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_the_whole_is_asked_before_anything_is_fetched(hub):
    offered = pull.offer(NAME)
    assert [one.method for one in hub.asked] == ["HEAD"]
    with pytest.raises(UsageError, match="not accepted"):
        pull.pull(offered, accepted=False)
    assert [one.method for one in hub.asked] == ["HEAD"]
    assert left() == []


def test_without_a_terminal_the_flag_is_asked_for(hub, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StringIO("yes\n"))
    assert main(["models", "pull", NAME]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--accept-license" in err
    assert hub.gets() == []


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("YES \n", 0), ("no\n", 2), ("y\n", 2), ("", 2)])
def test_at_a_terminal_only_yes_is_yes(hub, capsys, monkeypatch, typed, code):
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert main(["models", "pull", NAME]) == code
    assert "Type yes" in capsys.readouterr().err
    assert bool(hub.gets()) == (code == 0)
    assert cards.get_card(NAME).available == (code == 0)


def test_what_is_here_is_not_fetched_again(hub, capsys):
    assert main(["models", "pull", NAME, "--accept-license"]) == 0
    hub.asked.clear()
    hub.refuse = (500, "")
    capsys.readouterr()
    assert main(["models", "pull", NAME, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["fetched"], made["folder"]) == (False, str(cache() / "models" / NAME))
    assert hub.asked == []


def test_a_revision_replaces_what_is_here(hub):
    pull.pull(pull.offer(NAME), accepted=True)
    assert main(["models", "pull", NAME, "--accept-license", "--revision", COMMIT]) == 0
    assert len(hub.gets()) == 2
    assert cards.get_card(NAME).summary.count("Converted from") == 1
    assert [path.name for path in (cache() / "models").iterdir()] == [NAME]


def test_one_of_ours_needs_no_pull(hub, capsys):
    assert main(["models", "pull", "fetalclip-tiny"]) == 0
    assert "here already" in capsys.readouterr().err
    with pytest.raises(UsageError, match="part of this package"):
        pull.offer("fetalclip-tiny")
    assert hub.asked == []


def test_the_student_says_what_is_missing(hub):
    with pytest.raises(NotAvailable, match=r"nothing was downloaded.*FastViT") as caught:
        pull.offer("mobile-fetalclip")
    assert "fetalclip models pull fetalclip-vit-l-14" in str(caught.value)
    assert hub.asked == []


def test_an_unknown_name_lists_what_can_be_pulled(hub):
    with pytest.raises(ModelNotFound, match=NAME):
        pull.offer("fetalclip")


def test_a_cut_connection_goes_on_in_the_same_call(hub, checkpoint):
    hub.cut = [600_000, 500_000]
    pull.pull(pull.offer(NAME), accepted=True)
    ranges = [one.range for one in hub.gets()]
    assert ranges[0] == ""
    assert len(ranges) == 3
    assert all(one.startswith("bytes=") for one in ranges[1:])
    assert cards.get_card(NAME).available


def test_a_stopped_download_goes_on_with_the_next_command(hub, checkpoint):
    hub.cut = [700_000] + [0] * 20
    with pytest.raises(NotAvailable, match="the download stopped") as caught:
        pull.pull(pull.offer(NAME), accepted=True)
    assert "what has come is kept" in str(caught.value)
    assert not cards.get_card(NAME).available
    (part,) = (cache() / "downloads").rglob("*.part")
    have = part.stat().st_size
    assert 0 < have <= 700_000
    assert part.read_bytes() == checkpoint[:have]
    hub.cut.clear()
    hub.asked.clear()
    pull.pull(pull.offer(NAME), accepted=True)
    (get,) = hub.gets()
    assert (get.range, get.accepts) == (f"bytes={have}-", "identity")
    assert cards.get_card(NAME).available
    assert not any(name.startswith("downloads") for name in left())


def test_the_commit_is_fetched_not_the_branch(hub):
    pull.pull(pull.offer(NAME), accepted=True)
    assert all(f"/resolve/{COMMIT}/" in one.path for one in hub.gets())


@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1000], lambda data: data[:-3] + b"abc", lambda data: b"", lambda data: data + b"more"],
    ids=["truncated", "other bytes", "empty", "too long"],
)
def test_a_wrong_file_is_refused_and_removed(hub, checkpoint, change):
    hub.sent[FILE] = change(checkpoint)
    with pytest.raises(BadCheckpoint, match="as the hub says"):
        pull.pull(pull.offer(NAME), accepted=True)
    assert left() == [name for name in left() if name.endswith("lock")]
    assert not cards.get_card(NAME).available


def test_a_kept_part_of_another_file_is_dropped(hub, checkpoint):
    hub.cut = [700_000] + [0] * 20
    with pytest.raises(NotAvailable, match="stopped"):
        pull.pull(pull.offer(NAME), accepted=True)
    hub.cut.clear()
    hub.sent[FILE] = checkpoint[:1000]  # shorter than what is kept: the range cannot be answered
    with pytest.raises(NotAvailable, match="416"):
        pull.pull(pull.offer(NAME), accepted=True)
    assert not list((cache() / "downloads").rglob("*.part"))


class Evil(NamedTuple):
    mark: str

    def __reduce__(self):
        return (os.system, (f"touch {self.mark}",))


def test_a_pickle_with_code_is_refused_and_removed(hub, tmp_path):
    mark = tmp_path / "ran"
    stream = BytesIO()
    torch.save({"logit_scale": Evil(str(mark))}, stream)
    for data in (stream.getvalue(), pickle.dumps(Evil(str(mark)))):
        describe(hub, data)
        with pytest.raises(BadCheckpoint, match=FILE):
            pull.pull(pull.offer(NAME), accepted=True)
        assert not mark.exists()
        assert left() == []


def test_another_model_is_refused(hub):
    stream = BytesIO()
    torch.save({"logit_scale": torch.tensor(1.0)}, stream)
    describe(hub, stream.getvalue())
    with pytest.raises(BadCheckpoint, match="missing"):
        pull.pull(pull.offer(NAME), accepted=True)
    assert left() == []


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        ((401, ""), "refuses"),
        ((401, "GatedRepo"), "not open to you"),
        ((403, "GatedRepo"), "accepted its authors' conditions"),
        ((403, ""), "not open to you"),
        ((404, "RepoNotFound"), "404"),
        ((429, ""), "too many requests"),
        ((500, ""), "error 500"),
        ((503, ""), "error 503"),
    ],
)
def test_a_refusal_is_one_clear_error(hub, refuse, said, capsys):
    hub.refuse = refuse
    assert main(["models", "pull", NAME, "--accept-license"]) == 3
    err = capsys.readouterr().err
    assert said in err
    assert "127.0.0.1" not in err
    assert "Traceback" not in err
    assert left() == []


def test_a_wrong_revision_or_a_renamed_file_is_told(hub):
    with pytest.raises(NotAvailable, match="no revision 'v9'"):
        pull.offer(NAME, revision="v9")
    hub.files.clear()
    with pytest.raises(NotAvailable, match=f"no file {FILE}"):
        pull.offer(NAME)


def test_what_is_no_hub_is_told(hub):
    hub.is_hub = False
    with pytest.raises(NotAvailable, match="not the hub"):
        pull.offer(NAME)


def test_no_network_is_told(hub, monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["models", "pull", NAME, "--accept-license"]) == 3
    err = capsys.readouterr().err
    assert "the hub was not reached" in err
    assert "Try:" in err
    assert "127.0.0.1" not in err
    monkeypatch.setenv("HF_ENDPOINT", "ftp:/nowhere")
    with pytest.raises(UsageError, match="HF_ENDPOINT"):
        pull.offer(NAME)


def test_a_token_is_sent_to_the_hub(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_for_a_test")
    pull.pull(pull.offer(NAME), accepted=True)
    assert {one.token for one in hub.asked} == {"Bearer hf_for_a_test"}


def test_the_token_stays_with_the_hub_and_the_range_goes_along(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_for_a_test")
    hub.elsewhere, hub.cut = True, [700_000]
    pull.pull(pull.offer(NAME), accepted=True)
    hosts = {one.host: one.token for one in hub.asked}
    assert hosts == {"127.0.0.1": "Bearer hf_for_a_test", "localhost": ""}
    assert {one.method for one in hub.asked if one.host == "localhost"} == {"GET"}
    assert [bool(one.range) for one in hub.gets() if one.host == "localhost"] == [False, True]


@pytest.mark.parametrize("way", ["option", "environment"])
def test_offline_uses_the_hubs_own_cache(hub, checkpoint, monkeypatch, way, capsys):
    pointer = fill_hub_cache(hub, checkpoint)
    if way == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    options = ["--offline"] if way == "option" else []
    assert main(["models", "pull", NAME, "--accept-license", "--json", *options]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["commit"] == COMMIT
    assert "cache already" in err
    assert hub.asked == []
    assert pointer.read_bytes() == checkpoint
    assert cards.get_card(NAME).available


def test_online_too_the_cache_saves_the_download(hub, checkpoint):
    fill_hub_cache(hub, checkpoint)
    pull.pull(pull.offer(NAME), accepted=True)
    assert hub.gets() == []


def test_offline_without_the_file_is_told(hub, capsys):
    assert main(["models", "pull", NAME, "--accept-license", "--offline"]) == 3
    err = capsys.readouterr().err
    assert "is not in the hub's cache" in err
    assert "without --offline" in err
    assert hub.asked == []


def test_a_damaged_file_in_the_hubs_cache(hub, checkpoint):
    pointer = fill_hub_cache(hub, checkpoint[:-500], named=checkpoint)
    with pytest.raises(BadCheckpoint, match="in the hub's cache") as caught:
        pull.pull(pull.offer(NAME, offline=True), accepted=True)
    assert str(pointer) in str(caught.value)
    assert pointer.exists()  # other programs share that cache
    pull.pull(pull.offer(NAME), accepted=True)  # online it is passed over
    assert len(hub.gets()) == 1


def test_too_little_disk_is_told_before_the_download(hub, checkpoint, monkeypatch):
    usage = shutil.disk_usage(cache().parent)
    free = int(len(checkpoint) * 2.1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    with pytest.raises(OutputError, match="free in") as caught:
        pull.pull(pull.offer(NAME), accepted=True)
    assert "FETALCLIP_CACHE" in str(caught.value)
    assert hub.gets() == []


def test_a_disk_that_fills_up_keeps_the_download(hub, monkeypatch):
    from fetalclip.models import convert

    def full(*args: object) -> None:
        raise OutputError("no space left", "more room", "--out DIR")

    with monkeypatch.context() as patched:
        patched.setattr(convert, "convert", full)
        with pytest.raises(OutputError, match="FETALCLIP_CACHE"):
            pull.pull(pull.offer(NAME), accepted=True)
    assert any(name.endswith(FILE) for name in left())
    hub.asked.clear()
    pull.pull(pull.offer(NAME), accepted=True)
    assert hub.gets() == []
    assert not any(name.startswith("downloads") for name in left())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_cache_folder_that_cannot_be_written(hub):
    cache().mkdir()
    cache().chmod(0o500)
    with pytest.raises(OutputError, match="cannot be kept"):
        pull.pull(pull.offer(NAME), accepted=True)


def test_a_cache_folder_that_is_a_file(hub):
    cache().write_text("")
    with pytest.raises(OutputError, match="cannot be kept"):
        pull.pull(pull.offer(NAME), accepted=True)


def test_two_at_once(hub):
    offered = pull.offer(NAME)
    folder = hub_module.place(offered.file, cache() / "downloads").parent
    folder.mkdir(parents=True)
    with hub_module._alone(folder / "lock"), pytest.raises(NotAvailable, match="another program"):
        pull.pull(offered, accepted=True)


def test_a_failed_second_pull_leaves_the_first(hub, checkpoint):
    pull.pull(pull.offer(NAME), accepted=True)
    stream = BytesIO()
    torch.save({"logit_scale": torch.tensor(1.0)}, stream)
    describe(hub, stream.getvalue())
    with pytest.raises(BadCheckpoint):
        pull.pull(pull.offer(NAME, revision=COMMIT), accepted=True)
    assert cards.get_card(NAME).available
    assert [path.name for path in (cache() / "models").iterdir()] == [NAME]


def test_a_damaged_folder_is_pulled_anew(hub):
    folder = cache() / "models" / NAME
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{")
    card = cards.get_card(NAME)
    assert not card.available
    assert "not JSON" in card.note
    assert card.license == "CC-BY-NC-4.0"
    with pytest.raises(NotAvailable, match=f"fetalclip models pull {NAME}"):
        card.require()
    assert main(["models", "pull", NAME, "--accept-license"]) == 0
    assert cards.get_card(NAME).available


def test_a_hostile_etag_stays_in_its_folder():
    file = hub_module.HubFile("a/b", "w.pt", "main", COMMIT, 1, "../../../etc/passwd")
    assert hub_module.place(file, Path("/d")).parent.parent == Path("/d")


def test_gits_own_hash_is_checked_too(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"hello\n")
    git = "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object of it
    hub_module.check(path, hub_module.HubFile("a/b", "w.pt", "main", COMMIT, 6, git))
    with pytest.raises(BadCheckpoint, match="git hash"):
        hub_module.check(path, hub_module.HubFile("a/b", "w.pt", "main", COMMIT, 6, "0" * 40))


def test_the_published_architecture():
    architecture = openclip.from_openclip_config(json.loads(pull.openclip_config(NAME).read_text()))
    with torch.device("meta"):
        from fetalclip.models.pair import DualEncoder

        assert sum(value.numel() for value in DualEncoder(architecture).parameters()) == 427_647_233
    said = cards.described_cards()[NAME].config
    assert said["architecture"]["embed_dim"] == architecture.embed_dim
    assert said["architecture"]["text"]["context_length"] == architecture.text.context_length == 117
    assert said["preprocess"]["image_size"] == architecture.image.image_size


def test_an_offer_needs_no_torch(hub):
    code = "import sys; from fetalclip.models import pull; pull.offer(sys.argv[1]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, NAME], check=False).returncode == 0
    assert [one.method for one in hub.asked] == ["HEAD"]
