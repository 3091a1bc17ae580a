"""The decoders that let others work give what pydicom's own give, and believe no frame that claims to be huge."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from inference.errors import Unfit
from inference.readers.codecs import PLUGIN, claimed_size, plugin_for
from inference.readers.instance import Instance
from inference.readers.scan import Scan
from inference.writers.dicom_series import Encoding

SYNTAXES = [JPEG2000Lossless, JPEGLSLossless]
ALL = [*SYNTAXES, RLELossless]


@pytest.fixture(params=SYNTAXES, ids=lambda syntax: syntax.name)
def compressed(volume_of, write, request):
    return dcmread(write(volume_of(shape=(1, 64, 72)), Encoding(transfer_syntax=request.param))[0])


def decoded(ds, plugin):
    frame, _ = get_decoder(ds.file_meta.TransferSyntaxUID).as_array(ds, decoding_plugin=plugin)
    return frame


@pytest.mark.parametrize(("bits", "signed"), [(8, 0), (8, 1), (12, 0), (12, 1), (16, 0), (16, 1)])
@pytest.mark.parametrize("syntax", ALL, ids=lambda syntax: syntax.name)
def test_every_depth_and_sign_comes_back(volume_of, write, syntax, bits, signed):
    ds = dcmread(write(volume_of(shape=(1, 64, 72)))[0])
    least, dtype = -(2 ** (bits - 1)) * signed, np.dtype(f"{'ui'[signed]}{1 if bits == 8 else 2}")
    values = (np.arange(64 * 72).reshape(64, 72) * 7 % 2**bits + least).astype(dtype)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8 * dtype.itemsize, bits, bits - 1, signed
    ds.compress(syntax, values, encoding_plugin="pylibjpeg" if syntax == RLELossless else "")
    assert np.array_equal(decoded(ds, PLUGIN), values)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless], ids=lambda syntax: syntax.name)
def test_signed_values_without_their_sign_beyond_the_stored_bits_have_it_again(volume_of, write, syntax):
    path = write(volume_of(shape=(1, 64, 72)))[0]
    ds = dcmread(path)
    values = (np.arange(64 * 72).reshape(64, 72) * 7 % 4096 - 2048).astype(np.int16)
    ds.PixelRepresentation = 0
    ds.compress(syntax, values.view(np.uint16) & 0xFFF, encoding_plugin="pylibjpeg" if syntax == RLELossless else "")
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 1
    ds.save_as(path)
    instance = Instance.open(path, Scan())
    assert np.array_equal(instance.stored(instance.slices)[0], values)


def test_it_gives_what_pydicom_gives(compressed):
    others = get_decoder(compressed.file_meta.TransferSyntaxUID).available_plugins
    assert PLUGIN in others
    for name in others:
        assert np.array_equal(decoded(compressed, name), decoded(compressed, PLUGIN)), name


def test_it_is_asked_first_for_what_it_decodes():
    assert [plugin_for(syntax) for syntax in (*ALL, JPEGBaseline8Bit)] == [PLUGIN, PLUGIN, PLUGIN, ""]


def test_damaged_rle_is_unfit_or_read_and_nothing_else(volume_of, write):
    """Where pylibjpeg panics."""
    path = write(volume_of(shape=(1, 40, 44)), Encoding(transfer_syntax=RLELossless))[0]
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    begin = Instance.open(path, Scan()).pixels.offset
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(begin + 16, len(damaged), 3):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(bytes(damaged))
        instance = Instance.open(path, Scan())
        try:
            assert instance.stored(instance.slices)[0].shape == (40, 44)
        except Unfit:
            refused += 1
    assert refused > 10


def test_the_decoder_of_rle_that_panics_is_gone():
    assert get_decoder(RLELossless).available_plugins == (PLUGIN,)


def test_a_frame_of_another_size_is_refused_before_it_is_decoded(compressed, tmp_path):
    (frame,) = generate_frames(compressed.PixelData, number_of_frames=1)
    size = frame.index((64).to_bytes(4, "big")) if frame[:2] == b"\xff\x4f" else frame.index((64).to_bytes(2, "big"))
    wide = 4 if frame[:2] == b"\xff\x4f" else 2
    huge = frame[:size] + b"\x7f" * wide + frame[size + wide:]
    compressed.PixelData = encapsulate([huge])
    with pytest.raises(RuntimeError, match="not of the size"):
        decoded(compressed, PLUGIN)
    compressed.save_as(tmp_path / "huge.dcm")
    instance = Instance.open(tmp_path / "huge.dcm", Scan())
    with pytest.raises(Unfit, match="cannot be decoded"):
        instance.stored(instance.slices)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("frame", [b"", b"\xff", b"\xff\xd8\xff\xe0\x00", b"\xff\xd8\xff\xf7\x00",
                                   b"\xff\x4f\xff\x51\0\0"])
def test_what_is_cut_short_claims_no_size(syntax, frame):
    assert claimed_size(frame, syntax) is None


def test_where_it_fails_another_is_asked(volume_of, write, monkeypatch):
    path = write(volume_of(), Encoding(transfer_syntax=JPEGLSLossless))[0]
    decoder = get_decoder(JPEGLSLossless)

    def fails(*_):
        raise ValueError("it does not feel like it")

    monkeypatch.setitem(decoder._available, PLUGIN, fails)
    instance = Instance.open(path, Scan())
    assert np.array_equal(instance.stored(instance.slices)[0], np.arange(480).reshape(20, 24) + 24)
