"""DICOM in: ultrasound pictures and clips with their scale, read without trust."""
