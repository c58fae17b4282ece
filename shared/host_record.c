#include "shared/host_record.h"

#include "shared/record.h"

int host_record_encode(struct slice app, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "app", app);
    return record_finish(&writer);
}

int host_record_decode(struct slice bytes, struct slice *app)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    *app = record_get(&reader, "app");
    return record_end(&reader);
}
