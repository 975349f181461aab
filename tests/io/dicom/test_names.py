"""Which fields may identify somebody."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from fetalclip.io.dicom.names import MAX_DEPTH, identifying


def test_names_within_sequences_and_private_fields() -> None:
    inner = Dataset()
    inner.RequestedProcedureID = "R17"
    data = Dataset()
    data.PatientName, data.Rows, data.StudyDate, data.PatientID = "ROE^JANE", 5, "20200101", ""
    data.RequestAttributesSequence = Sequence([inner])
    data.NameOfPhysiciansReadingStudy = "DOE^JOHN"
    block = data.private_block(0x0009, "MAKER", create=True)
    block.add_new(1, "LO", "secret")
    found = identifying(data)
    assert found["PatientName"] == "ROE^JANE"
    assert found["NameOfPhysiciansReadingStudy"] == "DOE^JOHN"
    assert found["RequestedProcedureID"] == "R17"
    assert found["RequestAttributesSequence"] == "(1 items)"
    assert found["private (0009,1001)"] == "secret"
    assert {"Rows", "PatientID"} & set(found) == set()
    assert list(found) == sorted(found)


def test_depth_ends() -> None:
    data = Dataset()
    data.PatientName = "ROE"
    for _ in range(MAX_DEPTH + 5):
        outer = Dataset()
        outer.RequestAttributesSequence = Sequence([data])
        data = outer
    assert "PatientName" not in identifying(data)
