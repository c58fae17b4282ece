/* http_chunk.h: the chunked transfer coding (RFC 9112, 7.1), decoded step by step. Pure.
 *
 * Feed it input as it comes, split anywhere: it says which bytes are data. Strict: CRLF only, sizes
 * of at most 15 hex digits, extensions checked and dropped, trailers checked, bounded and dropped.
 */
#ifndef GATEHOUSE_WORKER_HTTP_CHUNK_H
#define GATEHOUSE_WORKER_HTTP_CHUNK_H

#include "shared/slice.h"

#include <stdint.h>

enum { HTTP_CHUNK_LINE_MAX = 256, HTTP_TRAILERS_MAX = 8192 }; /* bytes */

struct http_chunk_decoder {
    /* private; a zeroed struct is ready */
    uint64_t left;
    uint16_t line; /* bytes of the present size line or of all trailers */
    uint8_t state;
    uint8_t digits;
};

enum http_chunk_result {
    HTTP_CHUNK_MORE,  /* all input was used; more is needed */
    HTTP_CHUNK_DATA,  /* *data is payload; call again with what follows *used */
    HTTP_CHUNK_END,   /* the body is over; what follows *used is not part of it */
    HTTP_CHUNK_ERROR, /* malformed: the message cannot be trusted */
};

/* Looks at `input`, sets *used to the bytes that are done with (including *data). */
enum http_chunk_result http_chunk_decode(struct http_chunk_decoder *decoder, struct slice input,
                                         size_t *used, struct slice *data);

/* Size line of a chunk to send, "1a3\r\n", into out (at least 20 bytes); its length. The sender
 * appends data and CRLF. */
size_t http_chunk_line(uint64_t size, char *out);

#endif
