"""Files dropped into a bucket: classified row by row, each row exactly once, the results laid beside them.

How it holds together. An object's rows, in its order, are cut into chunks of a fixed number of rows. A chunk's outcome
follows from the object's bytes alone, and is put under a key made of the upload's identity and the chunk's number: doing
a chunk twice, or two workers doing it at once, leaves one object. The progress record in DynamoDB says how many chunks
are done and who works; at the end the chunks are joined, in order, into the results. So a worker may die at any
moment: what it had not recorded is done again, to the same place.

::

    upload.py    which object, of which version; the keys of what comes of it
    messages.py  S3's notifications in SQS messages, and back
    source.py    the object as a stream of ranges, pinned to its version
    progress.py  the record: chunks done, who works until when, how it ended
    chunks.py    chunks of outcomes in the bucket
    target.py    results written only over what was there before (conditional writes)
    publish.py   chunks -> results, errors, summary
    worker.py    one upload, as far as the time goes
    batch.py     a batch of messages: which may go, which come back, which are buried with their reason
    queue.py     the queue and its dead-letter queue

Two versions of one object. Whoever reads or publishes asks first whether its version is still the newest, and publishes
under conditions on what it saw before asking. So the results are always those of the newest version once it is done; an
older one stops as superseded, and until the newer one is done the results of the older one stay.
"""
