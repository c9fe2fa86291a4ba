"""The mouth: reports out as JSON. The one room that knows HTTP and JSON keys."""
