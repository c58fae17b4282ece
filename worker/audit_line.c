#include "worker/audit_line.h"

#include "shared/json_plain.h"
#include "shared/json_text.h"

#include <stdio.h>
#include <time.h>

enum {
    ESCAPE_MAX = 6,        /* bytes of "\u0000", of U+FFFD in UTF-8, and of any other character */
    ENDPOINT_PORT_MAX = 8, /* bytes of "]:65535" */
};

static bool line_fits(struct audit_line *line, size_t size)
{
    if (size <= line->room - line->size)
        return true;
    line->cut = true;
    return false;
}

/* The caller has seen that there is room. */
static void line_put(struct audit_line *line, const char *bytes, size_t size)
{
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

/* `"name":`, when `size` more bytes fit behind it. */
static bool line_name(struct audit_line *line, const char *name, size_t size)
{
    size_t length = strlen(name);

    if (!line_fits(line, length + 3 + size))
        return false;
    line_put(line, "\"", 1);
    line_put(line, name, length);
    line_put(line, "\":", 2);
    return true;
}

/* What a byte becomes that does not stand for itself in a JSON string. */
static size_t escape_of(const char **at, const char *end, char out[ESCAPE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char first = (unsigned char)**at;
    size_t size = first < 0x80 ? 0 : json_text_utf8(*at, end);

    if (size > 0) {
        memcpy(out, *at, size);
        *at += size;
        return size;
    }
    ++*at;
    if (first >= 0x80) {
        memcpy(out, "\xEF\xBF\xBD", 3);
        return 3;
    }
    out[0] = '\\';
    if (first == '"' || first == '\\') {
        out[1] = (char)first;
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = digits[first >> 4];
    out[5] = digits[first & 15];
    return 6;
}

/* Escaped, without quotes; as much of it as fits, so that `after` bytes still do. */
static void line_escape(struct audit_line *line, struct slice text, size_t after)
{
    const char *at = text.data;
    const char *end = text.size == 0 ? at : at + text.size;
    char escape[ESCAPE_MAX];

    while (at < end) {
        const char *plain = json_plain_skip(at, end);
        size_t size = (size_t)(plain - at);
        size_t left = line->room - line->size - after;

        if (size > left) {
            line_put(line, at, left);
            line->cut = true;
            return;
        }
        line_put(line, at, size);
        at = plain;
        if (at == end)
            return;
        size = escape_of(&at, end, escape);
        if (!line_fits(line, size + after))
            return;
        line_put(line, escape, size);
    }
}

/* The text's first `most` bytes, without half a character at their end. */
static struct slice text_cut(struct audit_line *line, struct slice text, size_t most)
{
    if (text.size <= most)
        return text;
    line->cut = true;
    while (most > 0 && ((unsigned char)text.data[most] & 0xC0) == 0x80)
        most--;
    return slice_make(text.data, most);
}

void audit_line_text(struct audit_line *line, const char *name, struct slice text, size_t most)
{
    if (text.size == 0 || !line_name(line, name, 3))
        return;
    line_put(line, "\"", 1);
    line_escape(line, text_cut(line, text, most), 2);
    line_put(line, "\",", 2);
}

void audit_line_plain(struct audit_line *line, const char *name, const char *text)
{
    size_t size = strlen(text);

    if (!line_name(line, name, size + 3))
        return;
    line_put(line, "\"", 1);
    line_put(line, text, size);
    line_put(line, "\",", 2);
}

/* Digits, from the end of `out`: where they begin. */
static char *number_digits(uint64_t number, char *end)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return end;
}

static void line_bare(struct audit_line *line, const char *name, const char *text, size_t size)
{
    if (!line_name(line, name, size + 1))
        return;
    line_put(line, text, size);
    line_put(line, ",", 1);
}

void audit_line_number(struct audit_line *line, const char *name, uint64_t number)
{
    char text[24];
    char *end = text + sizeof(text);
    char *begin = number_digits(number, end);

    line_bare(line, name, begin, (size_t)(end - begin));
}

void audit_line_duration(struct audit_line *line, const char *name, int64_t microseconds)
{
    uint64_t value = microseconds < 0 ? 0 : (uint64_t)microseconds;
    char text[28];
    char *end = text + sizeof(text);
    char *begin = number_digits(value % 1000 + 1000, end);

    *begin = '.'; /* in the place of the thousand that keeps the zeros */
    begin = number_digits(value / 1000, begin);
    line_bare(line, name, begin, (size_t)(end - begin));
}

void audit_line_time(struct audit_line *line, const char *name, int64_t wall_seconds)
{
    time_t seconds = (time_t)wall_seconds;
    struct tm calendar;
    char text[32];

    if (gmtime_r(&seconds, &calendar) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &calendar) == 0)
        return;
    audit_line_plain(line, name, text);
}

void audit_line_endpoint(struct audit_line *line, const char *name, struct slice address,
                         uint16_t port)
{
    bool six = memchr(address.data, ':', address.size) != NULL;
    char text[ENDPOINT_PORT_MAX];
    char *end = text + sizeof(text);
    char *begin = number_digits(port, end);

    *--begin = ':';
    if (six)
        *--begin = ']';
    if (!line_name(line, name, address.size + sizeof(text) + 4))
        return;
    line_put(line, "\"[", six ? 2 : 1);
    line_put(line, address.data, address.size);
    line_put(line, begin, (size_t)(end - begin));
    line_put(line, "\",", 2);
}

void audit_line_true(struct audit_line *line, const char *name)
{
    line_bare(line, name, "true", 4);
}

void audit_line_json(struct audit_line *line, const char *name, struct slice json)
{
    size_t most = 1, step;

    if (json.size <= AUDIT_VALUE_MAX) {
        if (json.size > 0)
            line_bare(line, name, json.data, json.size);
        return;
    }
    /* Cut between two characters or escapes, of which half a surrogate pair is none. */
    for (const char *at = json.data + 1; most < AUDIT_VALUE_MAX; most += step, at += step) {
        const char *next = at;
        char piece[JSON_TEXT_PIECE];

        step = 1;
        if (*at == '\\' && json_text_unescape(&next, json.data + json.size - 1, piece) > 0)
            step = (size_t)(next - at);
        else if ((unsigned char)*at >= 0x80)
            step = json_text_utf8(at, json.data + json.size);
        if (step == 0 || most + step > AUDIT_VALUE_MAX)
            break;
    }
    line->cut = true;
    if (!line_name(line, name, most + 2))
        return;
    line_put(line, json.data, most);
    line_put(line, "\",", 2);
}

void audit_line_texts(struct audit_line *line, const char *name, const struct slice *texts,
                      size_t count)
{
    size_t before = line->size;

    if (count == 0 || !line_name(line, name, 2))
        return;
    line_put(line, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (!line_fits(line, 5)) {
            line->size = before;
            return;
        }
        line_put(line, "\"", 1);
        line_escape(line, text_cut(line, texts[i], AUDIT_VALUE_MAX), 4);
        line_put(line, "\",", 2);
    }
    line->size--;
    line_put(line, "],", 2);
}

void audit_line_members(struct audit_line *line, struct slice members)
{
    if (line_fits(line, members.size))
        line_put(line, members.data, members.size);
}
