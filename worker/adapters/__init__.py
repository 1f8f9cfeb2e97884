"""One outside system per file; a vendor's errors become `worker.errors` here."""
