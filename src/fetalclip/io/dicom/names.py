"""Which fields of a DICOM header may identify somebody: their names, and their values only for who asks.

The fields of the Basic Application Level Confidentiality Profile (PS3.15 Annex E) that ultrasound has, every name of a
person, and every private field, whose meaning only its maker knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fetalclip.io.quiet import quiet
from fetalclip.io.source import shown

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_FIELDS = 20_000
MAX_DEPTH = 8
"""Most fields that are looked at, and most sequences within each other."""

_TEXTS = """
AccessionNumber AcquisitionComments AdditionalPatientHistory AdmissionID AdmittingDiagnosesDescription Allergies
BranchOfService CountryOfResidence CurrentPatientLocation DerivationDescription DeviceSerialNumber DeviceUID
EthnicGroup FrameComments GantryID HumanPerformerOrganization IdentifyingComments ImageComments
ImagePresentationComments InstitutionAddress InstitutionCodeSequence InstitutionalDepartmentName InstitutionName
InsurancePlanIdentification InterpretationText IssuerOfPatientID IssuerOfServiceEpisodeID LastMenstrualDate
MedicalAlerts MedicalRecordLocator MilitaryRank Occupation OperatorIdentificationSequence OtherPatientIDs
OtherPatientIDsSequence PatientAddress PatientAge PatientBirthDate PatientBirthTime PatientComments PatientID
PatientInstitutionResidence PatientMotherBirthName PatientReligiousPreference PatientSex PatientSexNeutered
PatientSize PatientState PatientTelephoneNumbers PatientTransportArrangements PatientWeight
PerformedLocation PerformedProcedureStepDescription PerformedProcedureStepID PerformedStationAETitle
PerformedStationName PerformingPhysicianIdentificationSequence PersonAddress PersonTelephoneNumbers
PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence PlateID PregnancyStatus
ProtocolName ReasonForStudy ReasonForTheRequestedProcedure ReferringPhysicianAddress
ReferringPhysicianIdentificationSequence ReferringPhysicianTelephoneNumbers RegionOfResidence
RequestAttributesSequence RequestedProcedureComments RequestedProcedureDescription RequestedProcedureID
RequestedProcedureLocation RequestingService ResponsibleOrganization ScheduledProcedureStepDescription
ScheduledStationAETitle ScheduledStationName SeriesDescription ServiceEpisodeDescription ServiceEpisodeID SmokingStatus
SourceApplicationEntityTitle SpecialNeeds StationName StudyComments StudyDescription StudyID TextComments TextString
TopicAuthor TopicKeywords TopicSubject TopicTitle VisitComments
"""
_TIMES = """
AcquisitionDate AcquisitionDateTime AcquisitionTime AdmittingDate AdmittingTime ContentDate ContentTime CurveDate
CurveTime DateOfSecondaryCapture InstanceCreationDate InstanceCreationTime OverlayDate OverlayTime
PerformedProcedureStepEndDate PerformedProcedureStepEndTime PerformedProcedureStepStartDate
PerformedProcedureStepStartTime ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime SeriesDate SeriesTime
StudyDate StudyTime TimeOfSecondaryCapture TimezoneOffsetFromUTC
"""
_UIDS = """
ConcatenationUID FrameOfReferenceUID InstanceCreatorUID IrradiationEventUID MediaStorageSOPInstanceUID
ReferencedSOPInstanceUID SeriesInstanceUID SOPInstanceUID StorageMediaFileSetUID StudyInstanceUID
SynchronizationFrameOfReferenceUID
"""
IDENTIFYING = frozenset((_TEXTS + _TIMES + _UIDS).split())
"""Keywords of fields that may identify a person, a place, a time or a file."""


def identifying(dataset: Dataset) -> dict[str, str]:
    """Fields of a header that may identify somebody and are not empty, by name, with their values.

    A private field is named by its numbers, ``private (0009,1010)``; a field within a sequence once, by its own name.
    The values are as they are in the file, printable and at most 200 characters: show them only to who asks.
    """
    found: dict[str, str] = {}
    with quiet():
        for tag, keyword, kind, item in _fields(dataset):
            if tag % 0x20000 >= 0x10000:
                found.setdefault(f"private ({tag >> 16:04x},{tag & 0xFFFF:04x})", _shown(item, tag))
            elif (keyword in IDENTIFYING or kind == "PN") and (value := _shown(item, tag)):
                found.setdefault(keyword or f"({tag >> 16:04x},{tag & 0xFFFF:04x})", value)
    return dict(sorted(found.items()))


def _fields(dataset: Dataset) -> Iterator[tuple[int, str, str, Dataset]]:
    """Tag, keyword, kind and owner of every field, in sequences too."""
    from pydicom.datadict import keyword_for_tag

    left = [(dataset, 0)]
    seen = 0
    while left:
        item, depth = left.pop()
        for tag in sorted(item.keys()):
            if (seen := seen + 1) > MAX_FIELDS:
                return
            kind = _kind(item, int(tag))
            yield int(tag), keyword_for_tag(tag), kind, item
            if kind == "SQ" and depth < MAX_DEPTH:
                left += [(one, depth + 1) for one in _items(item, tag)]


def _kind(item: Dataset, tag: int) -> str:
    """The kind of a field's values, as the file or else the dictionary tells it."""
    from pydicom.datadict import dictionary_VR

    try:
        return str(getattr(item.get_item(tag), "VR", None) or dictionary_VR(tag))
    except Exception:  # damaged, or of nobody's dictionary
        return "UN"


def _items(item: Dataset, tag: Any) -> list[Dataset]:
    try:
        return [one for one in item[tag].value if hasattr(one, "get_item")]
    except Exception:  # a damaged sequence has no items
        return []


def _shown(item: Dataset, tag: int) -> str:
    """The value in one line; what is no text by its size or number of items. Empty where it is."""
    try:
        value = item[tag].value
    except Exception:  # damaged: it is there all the same
        return "(damaged)"
    if value is None or (hasattr(value, "__len__") and not len(value)):
        return ""
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if any(hasattr(one, "get_item") for one in (value if isinstance(value, (list, tuple)) else ())):
        return f"({len(value)} items)"
    if type(value).__name__ == "Sequence":
        return f"({len(value)} items)"
    return shown(str(value))
