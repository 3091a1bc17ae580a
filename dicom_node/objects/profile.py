"""Which objects a destination gets and in which form, as its viewers need them.

The presets are what was read in the viewers' own sources; a site may set any field over them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "standard": {},
    # OHIF 3.13 shows a BINARY SEG in stripes where rows × columns is no multiple of 8, and fails on an SR whose groups
    # have no coordinates: masks as OCCUPANCY, the diameters only. What is lost: the SEG is eight times as large, and
    # no SR holds volumes, totals or the number of lesions, 0 among them; a page says them instead.
    "ohif": {"seg": "occupancy", "measurements": False, "diameters": True, "document": True},
    # Slicer and MITK read through dcmqi: everything standard, and nothing beside it that its SR plug-in would count
    "slicer": {},
    # lists presentation states, key images and documents beside the SEG
    "weasis": {"presentation_state": True, "key_objects": True, "document": True},
    # an archive that shows images only
    "images": {"seg": "none", "sr": "none", "captures": "all", "document": True},
})


class Profile(BaseModel):
    """A destination's objects. Two destinations with equal profiles get the same objects under the same UIDs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["standard", "ohif", "slicer", "weasis", "images"] = Field(
        default="standard", description="what the other fields are where they are left out"
    )
    seg: Literal["binary", "occupancy", "labelmap", "none"] = Field(
        default="binary", description="form of the segmentation; occupancy: a byte a voxel, all or nothing"
    )
    seg_per: Literal["task", "segment"] = Field(default="task", description="one SEG a task, or one a segment")
    empty_frames: bool = Field(default=False, description="keep frames without voxels, for viewers that count slices")
    fractional: bool = Field(default=False, description="a SEG of probabilities as well, where the model gives them")
    sr: Literal["comprehensive3d", "comprehensive", "enhanced", "none"] = Field(
        default="comprehensive3d", description="SR class; none: no SR at all"
    )
    measurements: bool = Field(default=True, description="an SR of the measurements, and one of the summary")
    library: Literal["findings", "all"] = Field(
        default="findings", description="slices in the image library: with findings, first and last; or all"
    )
    diameters: bool = Field(default=False, description="an SR of long and short axes that OHIF makes measurements of")
    captures: Literal["none", "key", "all"] = Field(
        default="none", description="secondary captures: none, of the key slices, or of every slice"
    )
    presentation_state: bool = Field(default=False, description="outlines as a GSPS")
    key_objects: bool = Field(default=False, description="a selection of the key slices (KOS)")
    document: bool = Field(default=False, description="a short report as Encapsulated PDF")
    structure_set: bool = Field(default=False, description="contours as RT Structure Set")
    probability_map: bool = Field(default=False, description="a parametric map, where the model gives probabilities")
    uncertainty_map: bool = Field(default=False, description="a parametric map of how unsure the model was, if it says")
    transfer_syntax: Literal["explicit", "implicit", "rle"] = Field(
        default="explicit", description="explicit or implicit little endian; rle: what may be, the rest explicit"
    )
    character_set: Literal["source", "utf8"] = Field(
        default="source", description="that of the images, or ISO_IR 192 for archives that want nothing else"
    )

    @model_validator(mode="before")
    @classmethod
    def _over_its_preset(cls, data: Any) -> Any:
        """`ohif` alone is `{preset: ohif}`; what is said beside a preset rules."""
        if isinstance(data, str):
            data = {"preset": data}
        if isinstance(data, dict) and isinstance(data.get("preset"), str):
            return {**PRESETS.get(data["preset"], {}), **data}
        return data

    @model_validator(mode="after")
    def _says_something(self) -> Profile:
        if not self.takes(("seg", "sr")):
            raise ValueError("this profile makes no object at all; give seg, sr, captures or document")
        if self.seg == "labelmap" and self.seg_per == "segment":
            raise ValueError("a labelmap holds all segments: seg_per: segment goes with seg: binary or occupancy")
        return self

    def takes(self, outputs: Collection[str]) -> bool:
        """Whether anything of a route's outputs ("seg", "sr") is made in this form."""
        made = {"seg": self.seg != "none", "sr": self.reports}
        return self._beside or any(made[name] for name in outputs)

    @property
    def reports(self) -> bool:
        """Whether there is any SR."""
        return self.sr != "none" and (self.measurements or self.diameters)

    @property
    def compressed(self) -> bool:
        """Whether segmentations are: nothing compresses the bits of a BINARY one that every reader can undo."""
        return self.transfer_syntax == "rle" and self.seg != "binary"

    @property
    def _beside(self) -> bool:
        """Whether there are objects that are made whatever a route's outputs are."""
        return self.captures != "none" or self.presentation_state or self.document or self.structure_set

    @property
    def variant(self) -> str:
        """What tells this profile's objects from others'; "" for the standard, however it was said."""
        if self.model_copy(update={"preset": "standard"}) == Profile():
            return ""
        return hashlib.sha256(self.model_dump_json(exclude={"preset"}, exclude_defaults=True).encode()).hexdigest()[:8]


STANDARD = Profile()
PAGE = Profile(seg="none", sr="none", document=True)
