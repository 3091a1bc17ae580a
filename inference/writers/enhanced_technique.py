"""Functional groups that say how an enhanced CT or MR was acquired (PS3.3 C.8.15.3, C.8.13.5)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from inference.writers.acquisition import Acquisition, CTTechnique, MRTechnique, uid_of


def frame_type(acquisition: Acquisition) -> tuple[str, ...]:
    """Image Type as the enhanced classes want it: four values, the third and fourth from their own lists."""
    first, second = acquisition.image_type[0], "PRIMARY"
    if "LOCALIZER" in acquisition.image_type:
        return (first, second, "LOCALIZER", "NONE")
    return (first, second, "VOLUME", "NONE") if acquisition.modality == "CT" else (first, second, "OTHER", "NONE")


def acquisition_groups(acquisition: Acquisition, spacing: tuple[str, ...]) -> Dataset:
    """The shared functional groups of this modality; `spacing` is (rows, columns) in mm."""
    if isinstance(acquisition.technique, CTTechnique):
        return _ct_groups(acquisition, acquisition.technique, spacing)
    return _mr_groups(acquisition, acquisition.technique)


def pulse_sequence(technique: MRTechnique) -> Dataset:
    """MR Pulse Sequence module (C.8.13.4)."""
    gradient = "GR" in technique.scanning_sequence
    ds = Dataset()
    ds.PulseSequenceName = "_".join(technique.scanning_sequence)
    ds.MRAcquisitionType = technique.acquisition_type
    ds.EchoPulseSequence = "GRADIENT" if gradient else "SPIN"
    if not gradient:
        ds.MultipleSpinEcho = "YES" if technique.echo_train_length > 1 else "NO"
    ds.MultiPlanarExcitation = ds.PhaseContrast = ds.TimeOfFlightContrast = ds.EchoPlanarPulseSequence = "NO"
    ds.SteadyStatePulseSequence = ds.SpectrallySelectedSuppression = "NONE"
    ds.SaturationRecovery = "NO"
    ds.OversamplingPhase = "NONE"
    ds.GeometryOfKSpaceTraversal = "RECTILINEAR"
    ds.SegmentedKSpaceTraversal = "SINGLE"
    ds.RectilinearPhaseEncodeReordering = "LINEAR"
    ds.NumberOfKSpaceTrajectories = 1
    if technique.acquisition_type == "3D":
        ds.CoverageOfKSpace = "FULL"
    return ds


def _item(**values: object) -> Sequence:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])


def _ct_groups(acquisition: Acquisition, technique: CTTechnique, spacing: tuple[str, ...]) -> Dataset:
    group = Dataset()
    group.CTImageFrameTypeSequence = _item(
        FrameType=list(frame_type(acquisition)), PixelPresentation="MONOCHROME", VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE")
    group.CTAcquisitionTypeSequence = _item(
        AcquisitionType="SPIRAL", ConstantVolumeFlag="NO", FluoroscopyFlag="NO")
    group.CTAcquisitionDetailsSequence = _item(
        RotationDirection="CW", RevolutionTime=0.5, SingleCollimationWidth=0.6, TotalCollimationWidth=19.2,
        TableHeight=0.0, GantryDetectorTilt=0.0, DataCollectionDiameter=500.0)
    group.CTTableDynamicsSequence = _item(TableSpeed=38.4, TableFeedPerRotation=19.2, SpiralPitchFactor=1.0)
    group.CTPositionSequence = _item(
        TablePosition=0.0, DataCollectionCenterPatient=[0.0, 0.0, 0.0],
        ReconstructionTargetCenterPatient=[0.0, 0.0, 0.0])
    group.CTGeometrySequence = _item(DistanceSourceToDetector=1000.0, DistanceSourceToDataCollectionCenter=550.0)
    group.CTReconstructionSequence = _item(
        ReconstructionAlgorithm="FILTER_BACK_PROJ", ConvolutionKernel=technique.kernel,
        ConvolutionKernelGroup="SOFT_TISSUE", ReconstructionDiameter=500.0, ReconstructionAngle=360.0,
        ReconstructionPixelSpacing=[float(v) for v in spacing], ImageFilter="NONE")
    group.CTExposureSequence = _item(
        ExposureModulationType="NONE", ExposureTimeInms=float(technique.exposure_time_ms),
        XRayTubeCurrentInmA=float(technique.tube_current_ma),
        ExposureInmAs=technique.tube_current_ma * technique.exposure_time_ms / 1000, CTDIvol=8.0,
        CTDIPhantomTypeCodeSequence=_item(
            CodeValue="113691", CodingSchemeDesignator="DCM", CodeMeaning="IEC Body Dosimetry Phantom"))
    group.CTXRayDetailsSequence = _item(KVP=str(technique.kvp), FocalSpots=[1.2], FilterType="NONE",
                                        FilterMaterial="ALUMINUM")
    group.IrradiationEventIdentificationSequence = _item(
        IrradiationEventUID=uid_of("irradiation", acquisition.series_instance_uid))
    return group


def _mr_groups(acquisition: Acquisition, technique: MRTechnique) -> Dataset:
    group = Dataset()
    group.MRImageFrameTypeSequence = _item(
        FrameType=list(frame_type(acquisition)), PixelPresentation="MONOCHROME", VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE", ComplexImageComponent="MAGNITUDE", AcquisitionContrast="UNKNOWN")
    group.MRTimingAndRelatedParametersSequence = _item(
        RepetitionTime=str(technique.repetition_time), FlipAngle=str(technique.flip_angle),
        EchoTrainLength=technique.echo_train_length, RFEchoTrainLength=technique.echo_train_length,
        GradientEchoTrainLength=0,
        SpecificAbsorptionRateSequence=_item(SpecificAbsorptionRateDefinition="IEC_HEAD",
                                             SpecificAbsorptionRateValue=1.0),
        OperatingModeSequence=_item(OperatingModeType="RF",
                                    OperatingMode="IEC_NORMAL"))
    group.MREchoSequence = _item(EffectiveEchoTime=technique.echo_time)
    inverted = technique.inversion_time is not None
    modifier = _item(InversionRecovery="YES" if inverted else "NO", FlowCompensation="NONE", Spoiling="NONE",
                     T2Preparation="NO", SpectrallySelectedExcitation="NONE", SpatialPresaturation="NONE",
                     PartialFourier="NO", ParallelAcquisition="NO")
    if technique.inversion_time is not None:
        modifier[0].InversionTimes = [technique.inversion_time]
    group.MRModifierSequence = modifier
    group.MRImagingModifierSequence = _item(
        MagnetizationTransfer="NONE", BloodSignalNulling="NO", Tagging="NONE", TransmitterFrequency=123.2,
        PixelBandwidth="200")
    group.MRFOVGeometrySequence = _item(
        InPlanePhaseEncodingDirection="COLUMN", MRAcquisitionFrequencyEncodingSteps=256,
        MRAcquisitionPhaseEncodingStepsInPlane=256, PercentSampling="100", PercentPhaseFieldOfView="100")
    group.MRReceiveCoilSequence = _item(
        ReceiveCoilName="HEAD", ReceiveCoilManufacturerName="", ReceiveCoilType="VOLUME", QuadratureReceiveCoil="YES")
    group.MRTransmitCoilSequence = _item(
        TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
    group.MRAveragesSequence = _item(NumberOfAverages="1")
    return group
