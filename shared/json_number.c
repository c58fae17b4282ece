#include "shared/json_number.h"

#include <errno.h>

static const int64_t json_number_date_end = INT64_C(1) << 53;
static const int64_t json_number_exponent_limit = INT64_C(1) << 40;

static const char *json_number_skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* [ minus ] int [ frac ] [ exp ] */
const char *json_number_skip(const char *at, const char *end)
{
    const char *digits;

    if (at < end && *at == '-')
        at++;
    digits = at;
    at = json_number_skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        at = json_number_skip_digits(at, end);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = json_number_skip_digits(at, end);
        if (at == digits)
            return NULL;
    }
    return at;
}

int json_number_integer(struct slice text, int64_t *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    struct slice digits = slice_skip(text, negative ? 1 : 0);
    int64_t value = 0;

    if (digits.size == 0)
        return -EINVAL;
    for (size_t i = 0; i < digits.size; i++) {
        int digit = digits.data[i] - '0';

        if (digit < 0 || digit > 9)
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return -EINVAL;
    }
    *out = value;
    return 0;
}

/* The exponent after an 'e', or 0 without one; held within what no text's length can outweigh. */
static int64_t json_number_exponent(const char *at, const char *end)
{
    const int64_t limit = json_number_exponent_limit;
    bool negative;
    int64_t value = 0;

    if (at == end)
        return 0;
    at++;
    negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (; at < end; at++) {
        if (value < limit)
            value = value * 10 + (*at - '0');
    }
    return negative ? -value : value;
}

/* What the first `wanted` digits make, with zeros behind them where there are fewer; a point may
 * stand among them. Where they end; NULL: it is too large. */
static const char *json_number_take(const char *at, const char *end, const char *point,
                                    int64_t wanted, int64_t *value)
{
    for (; wanted > 0 && at < end; at++) {
        if (at == point)
            continue;
        *value = *value * 10 + (*at - '0');
        if (*value >= json_number_date_end)
            return NULL;
        wanted--;
    }
    for (; wanted > 0 && *value > 0; wanted--) {
        *value *= 10;
        if (*value >= json_number_date_end)
            return NULL;
    }
    return at;
}

int json_number_safe(struct slice text, int64_t *out)
{
    const char *end = text.data + text.size;
    bool negative = text.size > 0 && text.data[0] == '-';
    const char *at = text.data + (negative ? 1 : 0);
    const char *whole_end = json_number_skip_digits(at, end);
    const char *point = whole_end < end && *whole_end == '.' ? whole_end : NULL;
    const char *last = point == NULL ? whole_end : json_number_skip_digits(point + 1, end);
    /* The digits before the decimal point, wherever the exponent moves it. */
    int64_t wanted = whole_end - at + json_number_exponent(last, end);
    int64_t value = 0;

    while (last > at && (last[-1] == '0' || last[-1] == '.'))
        last--;
    at = json_number_take(at, last, point, wanted, &value);
    if (at == NULL || at < last)
        return -EINVAL; /* too large, or a fraction is left */
    *out = negative ? -value : value;
    return 0;
}

int json_number_date(struct slice text, int64_t *out)
{
    const char *end = text.data + text.size;
    const char *whole_end = json_number_skip_digits(text.data, end);
    const char *point = whole_end < end && *whole_end == '.' ? whole_end : NULL;
    const char *digits_end = point == NULL ? whole_end : json_number_skip_digits(point + 1, end);
    int64_t value = 0;
    int64_t wanted;

    if (whole_end == text.data)
        return -EINVAL; /* a minus sign */
    /* The digits before the decimal point, wherever the exponent moves it. */
    wanted = whole_end - text.data + json_number_exponent(digits_end, end);
    if (json_number_take(text.data, digits_end, point, wanted, &value) == NULL)
        return -EINVAL;
    *out = value;
    return 0;
}

/* The digits that count, from the first to the last that is no zero, and the last one's power of
 * ten; a point may stand among them. */
struct json_decimal {
    bool negative;
    const char *first, *last; /* first == NULL: zero */
    int64_t exponent;
};

static struct json_decimal json_number_decimal(struct slice text)
{
    struct json_decimal out = {.negative = text.size > 0 && text.data[0] == '-'};
    const char *begin = text.data + out.negative;
    const char *end = text.data + text.size;
    const char *whole_end = json_number_skip_digits(begin, end);
    bool fraction = whole_end < end && *whole_end == '.';
    const char *digits_end = fraction ? json_number_skip_digits(whole_end + 1, end) : whole_end;

    for (const char *at = begin; at < digits_end; at++) {
        if (*at == '0' || *at == '.')
            continue;
        if (out.first == NULL)
            out.first = at;
        out.last = at;
    }
    if (out.first == NULL)
        return (struct json_decimal){0};
    out.exponent = json_number_exponent(digits_end, end) +
                   (out.last < whole_end ? whole_end - 1 - out.last : whole_end - out.last);
    return out;
}

bool json_number_equal(struct slice a, struct slice b)
{
    struct json_decimal x = json_number_decimal(a);
    struct json_decimal y = json_number_decimal(b);

    if (x.first == NULL || y.first == NULL)
        return x.first == y.first;
    if (x.negative != y.negative || x.exponent != y.exponent)
        return false;
    /* Beyond it, exponents were not read to their end. */
    if (x.exponent > json_number_exponent_limit / 2 || x.exponent < -json_number_exponent_limit / 2)
        return slice_equal(a, b);
    while (x.first <= x.last && y.first <= y.last) {
        if (*x.first == '.')
            x.first++;
        if (*y.first == '.')
            y.first++;
        if (*x.first++ != *y.first++)
            return false;
    }
    return x.first > x.last && y.first > y.last;
}
