#include "conf/scalar.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHOWN_MAX = 40 }; /* bytes of a text that an error repeats */

static const uint64_t number_max = UINT64_C(1) << 53;

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"", 1},
};
static const struct unit duration_units[] = {
    {"d", UINT64_C(86400000)}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

enum {
    SIZE_UNITS = sizeof(size_units) / sizeof(size_units[0]),
    DURATION_UNITS = sizeof(duration_units) / sizeof(duration_units[0]),
};

static bool byte_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Takes the digits that the text begins with. */
static bool scalar_take_number(struct slice *text, uint64_t *out)
{
    size_t digits = 0;

    *out = 0;
    while (digits < text->size && byte_is_digit(text->data[digits])) {
        *out = *out * 10 + (uint64_t)(text->data[digits++] - '0');
        if (*out > number_max)
            return false;
    }
    *text = slice_skip(*text, digits);
    return digits > 0;
}

bool scalar_integer(struct slice text, uint64_t *out)
{
    return scalar_take_number(&text, out) && text.size == 0;
}

/* number * factor, unless that passes number_max. */
static bool scalar_scale(uint64_t number, uint64_t factor, uint64_t *out)
{
    if (number > number_max / factor)
        return false;
    *out = number * factor;
    return true;
}

bool scalar_size(struct slice text, uint64_t *bytes)
{
    uint64_t number;

    if (!scalar_take_number(&text, &number))
        return false;
    for (size_t i = 0; i < SIZE_UNITS; i++)
        if (slice_is(text, size_units[i].name))
            return scalar_scale(number, size_units[i].factor, bytes);
    return false;
}

/* Takes the letters that the text begins with, and finds their unit from `*unit` on. */
static bool scalar_take_unit(struct slice *text, size_t *unit, uint64_t *factor)
{
    size_t letters = 0;
    struct slice name;

    while (letters < text->size && !byte_is_digit(text->data[letters]))
        letters++;
    name = slice_make(text->data, letters);
    *text = slice_skip(*text, letters);
    while (*unit < DURATION_UNITS) {
        const struct unit *candidate = &duration_units[(*unit)++];

        if (slice_is(name, candidate->name)) {
            *factor = candidate->factor;
            return true;
        }
    }
    return false;
}

bool scalar_duration(struct slice text, uint64_t *milliseconds)
{
    size_t unit = 0;

    *milliseconds = 0;
    if (slice_is(text, "0"))
        return true;
    do {
        uint64_t number;
        uint64_t factor;
        uint64_t part;

        if (!scalar_take_number(&text, &number) || !scalar_take_unit(&text, &unit, &factor) ||
            !scalar_scale(number, factor, &part) || part > number_max - *milliseconds)
            return false;
        *milliseconds += part;
    } while (text.size > 0);
    return true;
}

bool scalar_bool(const struct yaml_node *node, bool *out)
{
    if (node->kind != YAML_SCALAR || !node->plain)
        return false;
    *out = slice_is(node->text, "true");
    return *out || slice_is(node->text, "false");
}

static void scalar_format(uint64_t value, const struct unit *units, size_t count, char *out,
                          size_t room)
{
    size_t i = 0;

    while (i + 1 < count && (value == 0 || value % units[i].factor != 0))
        i++;
    snprintf(out, room, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
}

void scalar_format_size(uint64_t bytes, char *out, size_t room)
{
    scalar_format(bytes, size_units, SIZE_UNITS, out, room);
}

void scalar_format_duration(uint64_t milliseconds, char *out, size_t room)
{
    if (milliseconds == 0)
        snprintf(out, room, "0");
    else
        scalar_format(milliseconds, duration_units, DURATION_UNITS, out, room);
}

void scalar_describe(const struct yaml_node *node, char *out, size_t room)
{
    int shown = node->text.size > SHOWN_MAX ? SHOWN_MAX : (int)node->text.size;
    const char *rest = node->text.size > SHOWN_MAX ? "..." : "";
    uint64_t number;
    bool flag;

    if (node->kind == YAML_LIST)
        snprintf(out, room, "a list");
    else if (node->kind == YAML_MAPPING)
        snprintf(out, room, "a mapping");
    else if (yaml_is_null(node))
        snprintf(out, room, "nothing");
    else if (scalar_bool(node, &flag))
        snprintf(out, room, "the boolean %s", flag ? "true" : "false");
    else if (node->plain && scalar_integer(node->text, &number))
        snprintf(out, room, "the number %" PRIu64, number);
    else
        snprintf(out, room, "the text \"%.*s%s\"", shown, node->text.data, rest);
}
