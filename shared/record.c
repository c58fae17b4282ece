#include "shared/record.h"

#include <errno.h>

/* Digits of a size: no field comes near 10^9 bytes, and 9 digits never overflow a size_t. */
enum { RECORD_SIZE_DIGITS = 9, RECORD_NUMBER_MAX = 20 };

static void record_append(struct record_writer *writer, const void *data, size_t size)
{
    if (writer->error == 0)
        writer->error = buffer_append(writer->out, data, size);
}

/* Decimal digits of `number`, ending at `end`. Where they begin. */
static char *record_digits(char *end, uint64_t number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return end;
}

void record_begin(struct record_writer *writer, struct buffer *out, char version)
{
    writer->out = out;
    writer->error = 0;
    record_append(writer, &version, 1);
}

static char *record_copy(char *at, struct slice bytes)
{
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

void record_put_field(struct record_writer *writer, struct slice name, struct slice value)
{
    char digits[RECORD_NUMBER_MAX];
    char *end = digits + sizeof(digits);
    char *first = record_digits(end, value.size);
    const size_t marks = 3; /* " =:" */
    size_t size = marks + name.size + (size_t)(end - first) + value.size, room;
    char *at;

    if (writer->error == 0)
        writer->error = buffer_reserve(writer->out, size);
    if (writer->error != 0)
        return;
    at = buffer_space(writer->out, &room);
    *at++ = ' ';
    at = record_copy(at, name);
    *at++ = '=';
    while (first < end)
        *at++ = *first++;
    *at++ = ':';
    record_copy(at, value);
    buffer_commit(writer->out, size);
}

void record_put_number(struct record_writer *writer, const char *name, int64_t value)
{
    char text[RECORD_NUMBER_MAX + 1];
    char *end = text + sizeof(text);
    /* Negated as unsigned, so that INT64_MIN has a magnitude too. */
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *first = record_digits(end, magnitude);

    if (value < 0)
        *--first = '-';
    record_put(writer, name, slice_make(first, (size_t)(end - first)));
}

int record_finish(const struct record_writer *writer)
{
    return writer->error;
}

void record_open(struct record_reader *reader, struct slice record, char version)
{
    reader->failed = record.size == 0 || record.data[0] != version;
    reader->rest = reader->failed ? slice_make(NULL, 0) : slice_skip(record, 1);
}

static struct slice record_fail(struct record_reader *reader)
{
    reader->failed = true;
    reader->rest = slice_make(NULL, 0);
    return slice_make(NULL, 0);
}

struct slice record_take(struct record_reader *reader, const char *at)
{
    const char *first = at;
    const char *end;
    size_t size = 0;

    if (at == NULL)
        return record_fail(reader);
    end = reader->rest.data + reader->rest.size;
    while (at < end && *at >= '0' && *at <= '9' && at - first < RECORD_SIZE_DIGITS)
        size = size * 10 + (size_t)(*at++ - '0');
    /* One value has one spelling: a size has no leading zero. */
    if (at == first || at == end || *at != ':' || (*first == '0' && at - first > 1))
        return record_fail(reader);
    at++;
    if (size > (size_t)(end - at))
        return record_fail(reader);
    reader->rest = slice_make(at + size, (size_t)(end - at) - size);
    return slice_make(at, size);
}

int64_t record_take_number(struct record_reader *reader, const char *at)
{
    struct slice text = record_take(reader, at);
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t number = 0;
    size_t i = negative ? 1 : 0;
    size_t first = i;

    for (; i < text.size; i++) {
        unsigned digit = (unsigned)((unsigned char)text.data[i] - '0');

        if (digit > 9 || number > (limit - digit) / 10)
            break;
        number = number * 10 + digit;
    }
    if (i == first || i < text.size || (text.data[first] == '0' && (negative || i > first + 1))) {
        record_fail(reader);
        return 0;
    }
    return negative ? -(int64_t)(number - 1) - 1 : (int64_t)number;
}

int64_t record_get_range(struct record_reader *reader, const char *name, int64_t low, int64_t high)
{
    int64_t number = record_get_number(reader, name);

    if (!reader->failed && (number < low || number > high))
        record_fail(reader);
    return reader->failed ? 0 : number;
}

size_t record_get_list(struct record_reader *reader, const char *name, struct slice *out,
                       size_t max)
{
    size_t count = 0;

    while (record_next_is(reader, name)) {
        if (count == max) {
            record_fail(reader);
            return 0;
        }
        out[count++] = record_get(reader, name);
    }
    return reader->failed ? 0 : count;
}

int record_end(const struct record_reader *reader)
{
    return reader->failed || reader->rest.size > 0 ? -EBADMSG : 0;
}
