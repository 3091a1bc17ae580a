"""`segnode probe`: what a peer takes of ours, and the profile that fits it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dicom_node.cli.options import aet_option, conf_option, json_option, peer_and_title, plainly


@click.command()
@click.argument("peer")
@aet_option
@conf_option
@json_option
@plainly
def probe(peer: str, aet: str | None, conf: Path | None, as_json: bool) -> None:
    """Negotiate with a peer (HOST:PORT:AET, or a name in node.yaml) and propose a profile. Nothing is sent."""
    from dicom_node.checking.fits import told
    from dicom_node.destinations.proposal import differences, propose
    from dicom_node.network.probe import SERVICES, STORED, SYNTAXES
    from dicom_node.network.probe import probe as ask
    from dicom_node.objects.profile import STANDARD
    from dicom_node.terminal import present

    found = ask(*peer_and_title(peer, conf, aet))
    proposal = propose(STANDARD, found)
    profile = differences(proposal.profile) if proposal.profile else None
    if as_json:
        present.as_json({"accepted": dict(found.accepted), "profile": profile, "lacking": proposal.lacking})
    else:
        rows = [{"object": name, **{word: "yes" if word in found.accepted.get(name, ()) else "-" for word in SYNTAXES}}
                for name in STORED]
        present.show_lines(rows)
        for name in SERVICES:
            click.echo(f"{name}: {'offered' if name in found.accepted else 'not offered'}")
        click.echo(told(profile, proposal.lacking))
    sys.exit(0 if proposal.profile else 1)
