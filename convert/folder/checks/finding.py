"""What a check has to say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something wrong. `subject` is the file or tensor, `problem` continues a sentence that it begins."""

    subject: str
    problem: str

    def __str__(self) -> str:
        return f"{self.subject} {self.problem}"
