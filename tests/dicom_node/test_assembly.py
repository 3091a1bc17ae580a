"""Settings become parts; whoever only looks changes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code

from dicom_node.assembly import (
    Parts,
    assemble,
    audit_sender,
    audit_spool,
    cleaner,
    executor,
    look_into,
    owner,
    receiver_for_people,
    remotes,
    server,
    stages,
)
from dicom_node.audit.facts import Outcome
from dicom_node.errors import Rejected
from dicom_node.models.installed_models import installed_models
from dicom_node.network.client import echo
from dicom_node.network.dicomweb.web_remote import WebRemote
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.network.remote import Remote
from dicom_node.objects.identity import device_uid, uid_from
from dicom_node.pipeline.deliver import Deliver
from dicom_node.settings import load
from inference.executors.processes import AT_A_TIME
from inference.findings import IntendedUse, ModelIdentity
from storage.archive import NOTE
from storage.errors import NotFound, Unavailable
from storage.lifecycle import DeliveryState
from storage.records import Delivery, Instance, InstanceKind
from storage.upkeep.reconcile import sweep_orphans


def test_results_of_an_installed_model_are_known_by_what_earlier_releases_called_it(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ModelIdentity("net", "1", "ab", "Universitätsklinikum Gießen", IntendedUse.RESEARCH)
    monkeypatch.setattr("dicom_node.assembly.installed_models", lambda _: {"net": SimpleNamespace(identity=model)})
    former = uid_from("device", model.manufacturer, model.name, model.version, model.sha256)
    assert receiver_for_people(parts)._device_uids == {former, device_uid(model)}


class TestStorage:
    def test_is_made_where_the_settings_say(self, parts: Parts, conf: Path) -> None:
        assert (conf / "data" / "segnode.sqlite").is_file()
        assert parts.archive.root == conf / "data" / "archive"

    def test_a_changed_configuration_is_a_new_revision(self, parts: Parts, conf: Path) -> None:
        assert parts.revision == 1
        assert assemble(load(conf)).revision == 1
        with (conf / "node.yaml").open("a") as file:
            file.write("quiet_s: 5\n")
        assert assemble(load(conf)).revision == 2

    def test_a_whole_file_whose_row_is_there_outlives_a_long_power_cut(self, parts: Parts, conf: Path) -> None:
        digest = hashlib.sha256(b"pixels").hexdigest()
        file = parts.archive.write("1.2.3", "1.2.3.4", [b"pixels"], digest)
        image, ct, explicit = InstanceKind.IMAGE, "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
        with parts.database.transaction() as tx:
            tx.studies.add_instance(Instance("1.2.3.4", ct, "1.2.3.1", "1.2.3", explicit, image, file, 1.0, "", {}))
        final = parts.archive.root / file.path  # the name is lost, since its folder had not been synced
        part = parts.archive.incoming / f"{file.path[:-4].replace('/', '', 2).replace('/', '-')}-{'0' * 32}.part"
        final.rename(part)
        os.utime(part, (1.0, 1.0))
        again = assemble(load(conf))
        assert again.archive.read(file) == b"pixels"
        again.close()

    def test_nothing_is_old_by_a_clock_that_has_leapt_since_the_node_ran_last(self, parts: Parts, conf: Path) -> None:
        """A dead battery, or a guest that was copied to a host whose clock is wrong."""
        now = time.time()
        sweep_orphans(parts.database, parts.archive, "00", now - 30 * 86400)
        again = assemble(load(conf))
        assert again.ages(now) == pytest.approx(now - 30 * 86400, abs=600)
        again.close()

    def test_an_archive_whose_file_system_is_not_mounted_takes_nothing(self, parts: Parts, conf: Path) -> None:
        """What the folder below it took would be hidden by it later, and all that it holds seems lost until then."""
        archive, away = parts.archive.root, conf / "unmounted"
        sweep_orphans(parts.database, parts.archive, "00", time.time())
        archive.rename(away)
        archive.mkdir()
        for _ in range(2):
            with pytest.raises(Unavailable, match="is its file system mounted"):
                assemble(load(conf))
        archive.rmdir()
        away.rename(archive)
        assemble(load(conf)).close()

    def test_looking_makes_none_in_the_place_of_one_that_is_not_mounted(self, parts: Parts, conf: Path) -> None:
        """Else the receivers, which run on, would have a folder to write to."""
        archive, away = parts.archive.root, conf / "unmounted"
        sweep_orphans(parts.database, parts.archive, "00", time.time())
        archive.rename(away)
        archive.mkdir()
        seen = look_into(load(conf))
        with pytest.raises(Unavailable, match="is its file system mounted"):
            seen.archive.write("1.2.3", "1.2.3.4", [b"pixels"])
        assert list(archive.iterdir()) == []

    def test_an_archive_that_is_lost_begins_anew_where_a_person_says_so(self, parts: Parts, conf: Path) -> None:
        root = parts.archive.root
        sweep_orphans(parts.database, parts.archive, "00", time.time())
        shutil.rmtree(root)
        with pytest.raises(Unavailable, match="to begin anew"):
            assemble(load(conf))
        root.mkdir()
        (root / NOTE).write_text("{}\n")
        again = assemble(load(conf))
        stored = again.archive.write("1.2.3", "1.2.3.4", [b"pixels"])
        sweep_orphans(again.database, again.archive, "00", time.time())
        assert again.archive.path(stored).exists()
        again.close()

    def test_looking_does_not_make_it(self, conf: Path) -> None:
        with pytest.raises(NotFound, match="no database at"):
            look_into(load(conf))
        assert not (conf / "data").exists()

    def test_looking_records_no_revision(self, parts: Parts, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("quiet_s: 5\n")
        assert look_into(load(conf)).revision == parts.revision == 1

    def test_a_folder_that_cannot_be_made_may_be_mended(self, conf: Path) -> None:
        (conf / "data").write_text("a file is in the way")
        with pytest.raises(Unavailable, match=r"data folder .* cannot be made"):
            assemble(load(conf))


class TestModels:
    def test_have_the_identity_of_their_files(self, conf: Path) -> None:
        model = installed_models(load(conf))["bright"]
        assert (model.name, model.task, model.identity.name) == ("bright", "liver_tumour", "threshold")
        assert model.settings == {"kind": "threshold", "lower": 150, "upper": 3000}

    def test_jobs_are_told_no_key_that_the_file_does_not_say(self, conf: Path) -> None:
        """While machines are upgraded one by one, a program that has never heard of a key would refuse the job."""
        with (conf / "models.yaml").open("a") as file:
            file.write('  liver: {task: liver_tumour, kind: bundle, path: "shipped:liver_tumour", flips: [x]}\n')
        assert installed_models(load(conf))["liver"].settings.keys() == {"kind", "path", "flips"}

    def test_one_that_cannot_be_read_keeps_nothing_from_working(
        self, conf: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with (conf / "models.yaml").open("a") as file:
            file.write("  gone: {task: lung_nodule, kind: bundle, path: nowhere}\n")
        models = installed_models(load(conf))
        assert models["gone"].identity.version == "unreadable"
        assert models["bright"].identity.name == "threshold"
        assert "model gone cannot be read" in caplog.text


class TestParts:
    def test_owners_of_leases_are_told_apart(self) -> None:
        assert owner("deliver") != owner("infer-0")
        assert owner("deliver") == owner("deliver")

    def test_each_device_has_its_own_infer_stage(self, parts: Parts) -> None:
        two = SimpleNamespace(slots=2)
        made = stages(parts, two)  # type: ignore[arg-type]
        assert [stage.name for stage in made] == [
            *("correct", "reject", "review", "complete", "fetch", "backfill", "recall", "dispatch"),
            *("infer-0", "infer-1"),
            *("deliver-share-0", "deliver-share-1", "give-up", "withdraw", "commit"),
        ]
        assert made[8].owner != made[9].owner  # type: ignore[attr-defined]

    def test_senders_know_for_whom_they_stand_in_and_who_stands_in_for_them(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("  pacs: {kind: folder, path: out, alternative: share, alternative_after_s: 60}\n")
        parts = assemble(load(conf))
        made = stages(parts, SimpleNamespace(slots=1))  # type: ignore[arg-type]
        parts.close()
        senders = {stage.sender.destination: stage.sender for stage in made if isinstance(stage, Deliver)}
        assert senders["pacs"].alternatives == ("share",)
        assert (senders["share"].alternatives, senders["share"].stands_in) == ((), {"pacs": {"pacs": 60.0}})

    def test_whoever_asks_us_to_keep_is_answered_where_that_is_turned_on(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write(
                "  pacs: {kind: dimse, ae_title: PACS, host: 127.0.0.1, port: 104}\n"
                "peers:\n  ct: {ae_title: CT1, host: 127.0.0.1, port: 105}\n"
                "commitment: {service: relay, relay_to: pacs, keep_days: 2}\n"
            )
        parts = assemble(load(conf))
        *others, commit, answer = stages(parts, SimpleNamespace(slots=1))  # type: ignore[arg-type]
        parts.close()
        asked = {stage.name: stage.commit_after_s for stage in others if isinstance(stage, Deliver)}
        assert asked == dict.fromkeys(("deliver-share-0", "deliver-share-1"), None) | dict.fromkeys(
            ("deliver-pacs-0", "deliver-pacs-1"), 5.0
        ), "a folder commits nothing"
        assert (commit.name, answer.name) == ("commit", "answer")
        assert (answer.relay_to, answer.keep_s) == ("pacs", 172800.0)  # type: ignore[attr-defined]
        assert set(answer.peers) == {"CT1", "PACS"}  # type: ignore[attr-defined]

    def test_each_archive_is_asked_in_its_own_way(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("  web: {kind: stow, url: 'https://pacs.example/dicom-web'}\nmax_object_bytes: 2000000\n")
            file.write("peers:\n  ct: {ae_title: CT1, host: 127.0.0.1, port: 105}\n")
            file.write("  vna: {kind: dicomweb, url: 'https://vna.example', ae_title: VNA}\n")
        parts = assemble(load(conf))
        made = remotes(parts, "fetch")
        parts.close()
        web = {name: one for name, one in made.items() if isinstance(one, WebRemote)}
        assert {name: one.peer.ae_title for name, one in web.items()} == {"web": "web", "vna": "VNA"}
        assert isinstance(made["ct"], Remote)
        spool = web["vna"].spool()
        spool.write(bytes(2_000_001))
        assert "max_object_bytes" in spool.trouble

    def test_models_run_in_worker_processes_on_the_configured_devices(self, conf: Path) -> None:
        assert executor(load(conf)).slots == AT_A_TIME, "of one device"

    def test_or_on_a_ray_cluster(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("executor: ray\nray: {address: 'head.example:6379', workers: 3, gpus: 0.5}\n")
        settings = load(conf)
        assert executor(settings).slots == 3 * AT_A_TIME
        assert executor(settings, one=True).slots == AT_A_TIME

    def test_the_server_answers_under_the_configured_title_alone(self, conf: Path) -> None:
        port = free_port()
        with (conf / "node.yaml").open("a") as file:
            file.write(f"port: {port}\n")
        with server(assemble(load(conf))):
            echo(Peer(ae_title="SEGNODE", host="127.0.0.1", port=port))
            with pytest.raises(Rejected, match="called ae title not recognised"):
                echo(Peer(ae_title="OTHER", host="127.0.0.1", port=port))


class TestAudit:
    def test_is_kept_beside_the_data_and_names_node_process_and_peers(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("  pacs: {kind: dimse, ae_title: PACS, host: 127.0.0.1, port: 104}\n")
            file.write("  web: {kind: stow, url: 'https://pacs.example/dicom-web'}\n")
            file.write("audit: {enterprise_site_id: Main hospital}\n")
        parts = assemble(load(conf), "pipeline")
        for name in ("pacs", "share", "web"):
            parts.audit.delivery_ended(Delivery(1, "j", "1.2.3", name, DeliveryState.SENT, 1, 0, 0), Outcome.SUCCESS)
        parts.close()
        texts = [message.path.read_text() for message in audit_spool(parts.settings).waiting()]
        assert audit_spool(parts.settings).folder == conf / "data" / "audit"
        receivers = ("PACS@127.0.0.1:104", (conf / "results").as_uri(), "https://pacs.example/dicom-web")
        for text, receiver in zip(texts, receivers, strict=True):
            assert f'UserID="{receiver}"' in text
            assert 'UserName="segnode pipeline"' in text
            assert 'AuditEnterpriseSiteID="Main hospital" AuditSourceID="SEGNODE@' in text

    def test_is_told_of_what_retention_removes_by_the_clock(
        self, story: Parts, audited: Callable[[], list[Element]]
    ) -> None:
        gone = list(cleaner(story).run(time.time()))
        assert [due.study_instance_uid for due in gone] == ["1.2.4"]
        (deleted,) = audited()
        event = deleted.find("EventIdentification")
        assert (code(event.find("EventID"))[2], event.get("EventOutcomeIndicator")) == ("DICOM Study Deleted", "0")
        (deleter,) = deleted.findall("ActiveParticipant")
        assert deleter.get("UserIsRequestor") == "true"
        study, patient = deleted.findall("ParticipantObjectIdentification")
        assert (study.get("ParticipantObjectID"), patient.get("ParticipantObjectID")) == ("1.2.4", "P-17")

    def test_off_is_off(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("audit: {mode: off}\n")
        parts = assemble(load(conf))
        parts.audit.started()
        parts.close()
        assert not (conf / "data" / "audit").exists()
        assert audit_sender(parts) is None

    def test_is_sent_where_the_settings_say(self, conf: Path) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write("audit: {mode: syslog, syslog: {host: 127.0.0.1, port: 9, protocol: tcp}}\n")
        parts = assemble(load(conf))
        parts.audit.started()
        parts.close()
        sender = audit_sender(parts)
        assert sender is not None
        sender.step()
        assert sender.state()["trouble"] == "audit collector tcp://127.0.0.1:9: Connection refused"
