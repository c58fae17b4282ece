#include "shared/ecdsa_signature.h"

#include <errno.h>

enum { DER_INTEGER = 0x02, DER_SEQUENCE = 0x30, DER_LENGTH_ONE_BYTE = 0x81 };

/* A positive INTEGER: no leading zeros but one before a set top bit. Its whole size. */
static size_t ecdsa_signature_put(struct slice number, uint8_t *out)
{
    bool pad;

    while (number.size > 1 && number.data[0] == 0)
        number = slice_skip(number, 1);
    pad = (number.data[0] & 0x80) != 0;
    out[0] = DER_INTEGER;
    out[1] = (uint8_t)(number.size + (pad ? 1 : 0));
    out[2] = 0;
    memcpy(out + (pad ? 3 : 2), number.data, number.size);
    return number.size + (pad ? 3 : 2);
}

int ecdsa_signature_to_der(struct slice raw, uint8_t out[ECDSA_DER_MAX])
{
    uint8_t numbers[2 * (ECDSA_NUMBER_MAX + 3)];
    size_t half = raw.size / 2;
    size_t size;
    size_t head = 0;

    if (half == 0 || half > ECDSA_NUMBER_MAX || raw.size % 2 != 0)
        return -EINVAL;
    size = ecdsa_signature_put(slice_make(raw.data, half), numbers);
    size += ecdsa_signature_put(slice_make(raw.data + half, half), numbers + size);
    out[head++] = DER_SEQUENCE;
    if (size >= 0x80)
        out[head++] = DER_LENGTH_ONE_BYTE;
    out[head++] = (uint8_t)size;
    memcpy(out + head, numbers, size);
    return (int)(head + size);
}

/* Takes one INTEGER off the front, right-aligned into out[0..size). */
static bool ecdsa_signature_take(struct slice *der, size_t size, uint8_t *out)
{
    struct slice number;

    if (der->size < 3 || der->data[0] != DER_INTEGER)
        return false;
    number = slice_make(der->data + 2, (unsigned char)der->data[1]);
    if (number.size == 0 || number.size > der->size - 2 || (number.data[0] & 0x80) != 0)
        return false;
    *der = slice_skip(*der, 2 + number.size);
    if (number.data[0] == 0)
        number = slice_skip(number, 1);
    if (number.size > size)
        return false;
    memset(out, 0, size);
    memcpy(out + size - number.size, number.data, number.size);
    return true;
}

int ecdsa_signature_from_der(struct slice der, size_t size, uint8_t *out)
{
    size_t head = der.size > 1 && (unsigned char)der.data[1] == DER_LENGTH_ONE_BYTE ? 3 : 2;

    if (der.size <= head || der.data[0] != DER_SEQUENCE ||
        (unsigned char)der.data[head - 1] != der.size - head)
        return -EINVAL;
    der = slice_skip(der, head);
    if (!ecdsa_signature_take(&der, size, out) || !ecdsa_signature_take(&der, size, out + size))
        return -EINVAL;
    return der.size == 0 ? 0 : -EINVAL;
}
