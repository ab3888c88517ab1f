"""The station: checks what collectors send, stores it once, signs for it, and can prove it later.

The trip of a message: an `Inbox` hands it over (`ingest`), each statement in it is checked
(`check`), the batch is committed in one transaction (`store`), and only the proof of that commit
yields a signed receipt. `views` is what displays ask, `evidence` what a court would.
"""
