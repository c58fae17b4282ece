/* buffer.h: bytes that grow at the end and are consumed at the front.
 *
 * Used for messages, records and what is read from or written to a socket. The buffer owns its
 * memory; pointers into it are borrowed until the next call that may grow or consume it.
 * A zeroed struct is an empty buffer. Never shrinks by itself; never wipes (see buffer_wipe). Holds
 * BUFFER_MAX bytes at most: an idle stream has a dozen buffers, and half as much is then enough for
 * their numbers.
 */
#ifndef GATEHOUSE_SHARED_BUFFER_H
#define GATEHOUSE_SHARED_BUFFER_H

#include "shared/slice.h"

#include <stddef.h>
#include <stdint.h>

#define BUFFER_MAX ((size_t)1 << 31) /* bytes */

struct buffer {
    char *memory;      /* owned; NULL when nothing was ever reserved or after buffer_free */
    uint32_t capacity; /* bytes at memory */
    uint32_t start;    /* first unconsumed byte */
    uint32_t end;      /* one past the last byte */
    uint32_t high; /* one past the last byte of before, where that was further: for buffer_wipe */
};

static inline char *buffer_data(const struct buffer *buffer)
{
    return buffer->memory == NULL ? NULL : buffer->memory + buffer->start;
}

static inline size_t buffer_size(const struct buffer *buffer)
{
    return (size_t)buffer->end - buffer->start;
}

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer_data(buffer), buffer_size(buffer));
}

/* Makes the room that buffer_reserve did not find. */
int buffer_grow(struct buffer *buffer, size_t size);

/* Room for `size` more bytes at the end, moving or reallocating as needed. 0 or -ENOMEM, also for
 * more than BUFFER_MAX in all. */
static inline int buffer_reserve(struct buffer *buffer, size_t size)
{
    return size <= (size_t)buffer->capacity - buffer->end ? 0 : buffer_grow(buffer, size);
}

/* Where the next byte goes, and how many fit without buffer_reserve. */
char *buffer_space(struct buffer *buffer, size_t *size);

/* `size` bytes were written at buffer_space. */
static inline void buffer_commit(struct buffer *buffer, size_t size)
{
    size_t room = (size_t)buffer->capacity - buffer->end;

    buffer->end += (uint32_t)(size < room ? size : room);
}

/* 0 or -ENOMEM; on an error nothing is appended. */
static inline int buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    int error = buffer_reserve(buffer, size);

    if (error != 0)
        return error;
    if (size > 0)
        memcpy(buffer->memory + buffer->end, data, size);
    buffer->end += (uint32_t)size;
    return 0;
}
static inline int buffer_append_slice(struct buffer *buffer, struct slice data)
{
    return buffer_append(buffer, data.data, data.size);
}
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_append_number(struct buffer *buffer, uint64_t number); /* in decimal */
int buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets the first `size` bytes (at most all). */
void buffer_consume(struct buffer *buffer, size_t size);

/* Forgets all bytes, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Gives the memory back; the buffer is empty and usable. */
void buffer_free(struct buffer *buffer);

/* Forgets all bytes and keeps the memory, after overwriting every byte that was ever written. */
void buffer_erase(struct buffer *buffer);

/* As buffer_free, after overwriting every byte that was ever written: for what held a credential.
 */
void buffer_wipe(struct buffer *buffer);

#endif
