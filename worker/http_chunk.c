#include "worker/http_chunk.h"

#include "worker/http_field.h"

enum chunk_state {
    CHUNK_SIZE, /* 0: a zeroed decoder begins here */
    CHUNK_SPACE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_BODY,
    CHUNK_BODY_CR,
    CHUNK_BODY_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
    CHUNK_FAILED,
};

enum { CHUNK_DIGITS_MAX = 15 };

static unsigned chunk_digit(char c)
{
    if (c <= '9')
        return (unsigned)(c - '0');
    return (unsigned)((c | 0x20) - 'a') + 10;
}

static enum chunk_state chunk_size(struct http_chunk_decoder *decoder, char c)
{
    if (http_char_is(c, HTTP_CHAR_HEX)) {
        if (++decoder->digits > CHUNK_DIGITS_MAX)
            return CHUNK_FAILED;
        decoder->left = decoder->left * 16 + chunk_digit(c);
        return CHUNK_SIZE;
    }
    if (decoder->digits == 0)
        return CHUNK_FAILED;
    if (c == '\r')
        return CHUNK_SIZE_LF;
    if (c == ';')
        return CHUNK_EXTENSION;
    return c == ' ' || c == '\t' ? CHUNK_SPACE : CHUNK_FAILED;
}

static enum chunk_state chunk_size_lf(struct http_chunk_decoder *decoder, char c)
{
    if (c != '\n')
        return CHUNK_FAILED;
    decoder->digits = 0;
    decoder->line = 0;
    return decoder->left == 0 ? CHUNK_TRAILER : CHUNK_BODY;
}

/* Expects `wanted`; a state of its own for each byte, since input may be cut anywhere. */
static enum chunk_state chunk_expect(char c, char wanted, enum chunk_state next)
{
    return c == wanted ? next : CHUNK_FAILED;
}

static enum chunk_state chunk_text(char c, enum chunk_state same, enum chunk_state line_end)
{
    if (c == '\r')
        return line_end;
    return http_char_is(c, HTTP_CHAR_VALUE) ? same : CHUNK_FAILED;
}

static enum chunk_state chunk_trailer_name(char c)
{
    if (c == ':')
        return CHUNK_TRAILER_VALUE;
    return http_char_is(c, HTTP_CHAR_TOKEN) ? CHUNK_TRAILER_NAME : CHUNK_FAILED;
}

static enum chunk_state chunk_trailer(char c)
{
    if (c == '\r')
        return CHUNK_END_LF;
    return http_char_is(c, HTTP_CHAR_TOKEN) ? CHUNK_TRAILER_NAME : CHUNK_FAILED;
}

static enum chunk_state chunk_step(struct http_chunk_decoder *decoder, char c)
{
    switch ((enum chunk_state)decoder->state) {
    case CHUNK_SIZE:
        return chunk_size(decoder, c);
    case CHUNK_SPACE:
        return c == ' ' || c == '\t' ? CHUNK_SPACE : chunk_expect(c, ';', CHUNK_EXTENSION);
    case CHUNK_EXTENSION:
        return chunk_text(c, CHUNK_EXTENSION, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return chunk_size_lf(decoder, c);
    case CHUNK_BODY_CR:
        return chunk_expect(c, '\r', CHUNK_BODY_LF);
    case CHUNK_BODY_LF:
        return chunk_expect(c, '\n', CHUNK_SIZE);
    case CHUNK_TRAILER:
        return chunk_trailer(c);
    case CHUNK_TRAILER_NAME:
        return chunk_trailer_name(c);
    case CHUNK_TRAILER_VALUE:
        return chunk_text(c, CHUNK_TRAILER_VALUE, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        return chunk_expect(c, '\n', CHUNK_TRAILER);
    case CHUNK_END_LF:
        return chunk_expect(c, '\n', CHUNK_DONE);
    case CHUNK_BODY:
    case CHUNK_DONE:
    case CHUNK_FAILED:
        break;
    }
    return CHUNK_FAILED;
}

/* Size lines and trailers are bounded, whatever they consist of. */
static bool chunk_too_long(const struct http_chunk_decoder *decoder)
{
    size_t limit = decoder->state >= CHUNK_TRAILER ? HTTP_TRAILERS_MAX : HTTP_CHUNK_LINE_MAX;

    return decoder->line > limit;
}

static void chunk_take_data(struct http_chunk_decoder *decoder, struct slice rest,
                            struct slice *data)
{
    size_t size = rest.size < decoder->left ? rest.size : (size_t)decoder->left;

    *data = slice_make(rest.data, size);
    decoder->left -= size;
    if (decoder->left == 0)
        decoder->state = CHUNK_BODY_CR;
}

enum http_chunk_result http_chunk_decode(struct http_chunk_decoder *decoder, struct slice input,
                                         size_t *used, struct slice *data)
{
    size_t at = 0;

    *used = 0;
    *data = slice_make(NULL, 0);
    while (decoder->state != CHUNK_DONE && at < input.size) {
        if (decoder->state == CHUNK_BODY) {
            chunk_take_data(decoder, slice_skip(input, at), data);
            *used = at + data->size;
            return HTTP_CHUNK_DATA;
        }
        decoder->line++;
        decoder->state = (uint8_t)chunk_step(decoder, input.data[at++]);
        if (decoder->state == CHUNK_FAILED || chunk_too_long(decoder)) {
            decoder->state = CHUNK_FAILED;
            return HTTP_CHUNK_ERROR;
        }
    }
    *used = at;
    if (decoder->state == CHUNK_FAILED)
        return HTTP_CHUNK_ERROR;
    return decoder->state == CHUNK_DONE ? HTTP_CHUNK_END : HTTP_CHUNK_MORE;
}

size_t http_chunk_line(uint64_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 1;

    for (uint64_t rest = size >> 4; rest > 0; rest >>= 4)
        length++;
    for (size_t i = length; i > 0; i--) {
        out[i - 1] = digits[size & 15];
        size >>= 4;
    }
    out[length] = '\r';
    out[length + 1] = '\n';
    return length + 2;
}
