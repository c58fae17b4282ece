#include "shared/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST = 256 }; /* bytes of the first allocation: most heads and records fit */

static void buffer_mark(struct buffer *buffer)
{
    if (buffer->high < buffer->end)
        buffer->high = buffer->end;
}

int buffer_grow(struct buffer *buffer, size_t size)
{
    size_t used = buffer_size(buffer);
    size_t wanted;
    char *memory;

    if (size > BUFFER_MAX - used)
        return -ENOMEM;
    if (buffer->start > 0) {
        memmove(buffer->memory, buffer->memory + buffer->start, used);
        buffer_mark(buffer);
        buffer->start = 0;
        buffer->end = (uint32_t)used;
        if (size <= (size_t)buffer->capacity - used)
            return 0;
    }
    wanted = buffer->capacity < BUFFER_FIRST ? BUFFER_FIRST : buffer->capacity;
    while (wanted < used + size)
        wanted *= 2;
    memory = realloc(buffer->memory, wanted);
    if (memory == NULL)
        return -ENOMEM;
    buffer->memory = memory;
    buffer->capacity = (uint32_t)wanted;
    return 0;
}

char *buffer_space(struct buffer *buffer, size_t *size)
{
    *size = (size_t)buffer->capacity - buffer->end;
    return buffer->memory == NULL ? NULL : buffer->memory + buffer->end;
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

int buffer_append_number(struct buffer *buffer, uint64_t number)
{
    char digits[20]; /* of UINT64_MAX */
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return buffer_append(buffer, digits + first, sizeof(digits) - first);
}

int buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int length;
    int error;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return -ENOMEM;
    /* vsnprintf ends with a NUL, which is not part of the text. */
    error = buffer_reserve(buffer, (size_t)length + 1);
    if (error != 0)
        return error;
    va_start(arguments, format);
    vsnprintf(buffer->memory + buffer->end, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->end += (uint32_t)length;
    return 0;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    if (size >= buffer_size(buffer))
        buffer_clear(buffer);
    else
        buffer->start += (uint32_t)size;
}

void buffer_clear(struct buffer *buffer)
{
    buffer_mark(buffer);
    buffer->start = 0;
    buffer->end = 0;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->memory);
    *buffer = (struct buffer){0};
}

void buffer_erase(struct buffer *buffer)
{
    buffer_clear(buffer);
    if (buffer->memory != NULL)
        explicit_bzero(buffer->memory, buffer->high);
    buffer->high = 0;
}

void buffer_wipe(struct buffer *buffer)
{
    buffer_erase(buffer);
    buffer_free(buffer);
}
