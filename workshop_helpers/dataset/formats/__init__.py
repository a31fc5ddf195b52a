"""Conversations, and the file formats that they are read from and written to."""

from .columns import find_roles
from .conversation import ROLES, Conversation, Message, Pairs
from .convert import ConvertReport, convert
from .faults import SPECIAL_TOKEN, Fault, RowFault, check_text, field_text
from .files import TABLES, RowReader, Source, open_rows
from .shapes import FORMATS, detect_format
from .strict import all_right, read_conversations
from .writing import WriteReport, write_conversations

__all__ = [
    "FORMATS",
    "ROLES",
    "SPECIAL_TOKEN",
    "TABLES",
    "Conversation",
    "ConvertReport",
    "Fault",
    "Message",
    "Pairs",
    "RowFault",
    "RowReader",
    "Source",
    "WriteReport",
    "all_right",
    "check_text",
    "convert",
    "detect_format",
    "field_text",
    "find_roles",
    "open_rows",
    "read_conversations",
    "write_conversations",
]
