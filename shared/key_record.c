#include "shared/key_record.h"

#include "shared/digest.h"
#include "shared/record.h"

#include <errno.h>

int key_record_encode(const struct key_record *key, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "kid", key->kid);
    record_put_number(&writer, "algorithms", key->algorithms);
    record_put(&writer, "thumbprint", key->thumbprint);
    record_put_number(&writer, "fetched", key->fetched);
    record_put_number(&writer, "good_until", key->good_until);
    /* Last, since it is the one part that does not read as text in a dump. */
    record_put(&writer, "der", key->der);
    return record_finish(&writer);
}

int key_record_decode(struct slice bytes, struct key_record *out)
{
    struct record_reader reader;

    *out = (struct key_record){0};
    record_open(&reader, bytes, '1');
    out->kid = record_get(&reader, "kid");
    out->algorithms = (uint32_t)record_get_range(&reader, "algorithms", 0, UINT32_MAX);
    out->thumbprint = record_get(&reader, "thumbprint");
    out->fetched = record_get_range(&reader, "fetched", 0, INT64_MAX);
    out->good_until = record_get_range(&reader, "good_until", 0, INT64_MAX);
    out->der = record_get(&reader, "der");
    if (out->thumbprint.size != DIGEST_HEX_SIZE || out->der.size == 0)
        return -EBADMSG;
    return record_end(&reader);
}
