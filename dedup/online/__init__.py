"""One article at a time, before ingest, against a durable index: a verdict, with the evidence."""
