/* base64url.h: base64url without padding (RFC 4648, 5; RFC 7515, 2), canonical only. Pure.
 *
 * Canonical: no padding, no white space, no foreign character, and the unused bits of the last
 * character are zero, so that one value has one spelling.
 */
#ifndef GATEHOUSE_SHARED_BASE64URL_H
#define GATEHOUSE_SHARED_BASE64URL_H

#include "shared/buffer.h"
#include "shared/slice.h"

/* Bytes that decoding `size` characters gives at most. */
#define BASE64URL_DECODED_MAX(size) ((size) / 4 * 3 + 3)

/* Decodes into out[0..room). The count of bytes, or -EINVAL (not canonical), -ENOSPC. */
long base64url_decode(struct slice text, void *out, size_t room);
/* Appends the encoding. 0 or -ENOMEM. */
int base64url_encode(struct slice bytes, struct buffer *out);

#endif
