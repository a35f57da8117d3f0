"""Input files: jobs as a stream of checked chunks; members, day routes and company as saved replies."""

from dispatcher.intake.document import Document, read_document
from dispatcher.intake.errors import InputError
from dispatcher.intake.fleet import load_company, load_members, load_routes
from dispatcher.intake.jobs import CHUNK_JOBS, Chunk, read_jobs
from dispatcher.intake.table import read_cell

__all__ = [
    "CHUNK_JOBS",
    "Chunk",
    "Document",
    "InputError",
    "load_company",
    "load_members",
    "load_routes",
    "read_cell",
    "read_document",
    "read_jobs",
]
