"""Files dropped into a bucket: classified row by row, each row exactly once, the results laid beside them.

How it holds together. An object's rows, in its order, are cut into chunks of a fixed number of rows. A chunk's outcome
follows from the object's bytes alone, and is put under a key made of the upload's identity and the chunk's number: doing
a chunk twice, or two workers doing it at once, leaves one object. The progress record in DynamoDB says how many chunks
are done and who works; at the end the chunks are joined, in order, into the results. So a worker may die at any
moment: what it had not recorded is done again, to the same place.

A large file is not classified by the worker that takes it up. Its rows are laid out, a chunk an object, and the state machine
(``cdk.service.upload_map``) has batches of chunks classified at the same time, by this function again: each chunk to the
same key as ever, the number of each noted in the record, then the joining as for any other.

::

    upload.py    which object, of which version; the keys of what comes of it
    messages.py  S3's notifications in SQS messages, and back
    source.py    the object as a stream of ranges, pinned to its version
    record.py    what is known of an upload
    progress.py  the table of records: who works until when, chunks done, how it ended
    outcomes.py  rows -> outcomes: the model, then the items
    items.py     which rows are to be items, and what is stored of one
    item_writer.py  the writing of items while rows are classified
    lines.py     outcomes of a chunk's rows -> lines
    chunks.py    chunks of outcomes in the bucket
    target.py    results written only over what was there before (conditional writes)
    publish.py   chunks -> results, errors, summary
    ending.py    how an upload ends: published, superseded or failed
    worker.py    one upload, as far as the time goes
    batch.py     a batch of messages: which may go, which come back, which are buried with their reason
    queue.py     the queue and its dead-letter queue

    staging.py   a large file -> rows laid out for the state machine
    staged.py    a chunk's rows in the bucket
    executions.py  starting the state machine, and knowing whether it is at work
    steps.py     what the state machine asks for: a batch, publishing, failing

Rows that become items. A chunk's outcome then also follows from the item store, which decides once and for good: a row that
is done again meets its own item, or is refused again. Items of rows that were done stay, also if the upload fails or a newer
version comes.

Two versions of one object. Whoever reads or publishes asks first whether its version is still the newest, and publishes
under conditions on what it saw before asking. So the results are always those of the newest version once it is done; an
older one stops as superseded, and until the newer one is done the results of the older one stay.
"""
