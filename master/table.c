#include "master/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

static const char table_gap[] = "  ";
static const char table_ellipsis[] = "\xe2\x80\xa6";

enum { TABLE_GAP = sizeof(table_gap) - 1 };

/* Bytes of the UTF-8 character that begins the text, and its code point; 0 when there is none. */
static size_t table_character(struct slice text, uint32_t *point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (size == 0 || size > text.size || first >= 0xf8)
        return 0;
    *point = size == 1 ? first : first & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        unsigned char next = (unsigned char)text.data[i];

        if ((next & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (next & 0x3fU);
    }
    if (*point < smallest[size] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff))
        return 0;
    return size;
}

/* Controls, the separators that end a line, and the marks that turn the direction of text. */
static bool table_shows(uint32_t point)
{
    return point >= 0x20 && !(point >= 0x7f && point <= 0x9f) && point != 0x061c &&
           !(point >= 0x200b && point <= 0x200f) && !(point >= 0x2028 && point <= 0x202e) &&
           !(point >= 0x2066 && point <= 0x2069) && point != 0xfeff;
}

int table_escape(struct buffer *out, struct slice text)
{
    int error = 0;

    while (text.size > 0 && error == 0) {
        uint32_t point;
        size_t size = table_character(text, &point);

        if (size > 0 && table_shows(point)) {
            error = buffer_append(out, text.data, size);
        } else {
            size = size == 0 ? 1 : size;
            for (size_t i = 0; i < size && error == 0; i++)
                error = buffer_append_format(out, "\\x%02x", (unsigned char)text.data[i]);
        }
        text = slice_skip(text, size);
    }
    return error;
}

static size_t table_width(struct slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.size; i++)
        width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return width;
}

void table_begin(struct table *table, const char *const *headings, size_t columns)
{
    *table = (struct table){.headings = headings, .columns = columns};
}

static bool table_grow(struct table *table)
{
    size_t capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
    struct table_cell *cells;

    if (table->count < table->capacity)
        return true;
    cells = reallocarray(table->cells, capacity, sizeof(*cells));
    if (cells == NULL)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_cell(struct table *table, struct slice text)
{
    struct buffer escaped = {0};
    struct table_cell cell = {0};
    int error = table->error;

    if (error == 0)
        error = table_escape(&escaped, text);
    if (error == 0) {
        cell.text = arena_copy(&table->arena, buffer_slice(&escaped));
        cell.width = table_width(cell.text);
        if (cell.text.data == NULL || !table_grow(table))
            error = -ENOMEM;
        else
            table->cells[table->count++] = cell;
    }
    table->error = error;
    buffer_free(&escaped);
}

void table_cell_format(struct table *table, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    table_cell(table, slice_from(text));
}

void table_row_end(struct table *table)
{
    while (table->error == 0 && table->count % table->columns != 0)
        table_cell(table, slice_from(""));
}

static size_t table_line(const size_t *widths, size_t columns)
{
    size_t line = (columns - 1) * TABLE_GAP;

    for (size_t i = 0; i < columns; i++)
        line += widths[i];
    return line;
}

static void table_widths(const struct table *table, size_t *widths, size_t limit)
{
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = table->headings == NULL ? 0 : strlen(table->headings[i]);
    for (size_t i = 0; i < table->count; i++)
        if (table->cells[i].width > widths[i % table->columns])
            widths[i % table->columns] = table->cells[i].width;
    while (limit > 0 && table_line(widths, table->columns) > limit) {
        size_t widest = 0;

        for (size_t i = 1; i < table->columns; i++)
            if (widths[i] > widths[widest])
                widest = i;
        if (widths[widest] <= TABLE_COLUMN_MIN)
            return;
        widths[widest]--;
    }
}

static void table_put(FILE *out, struct slice text, size_t width, size_t room, bool last)
{
    size_t size = text.size;

    if (width > room) {
        size_t kept = 0;

        for (size = 0; size < text.size; size++) {
            bool begins = ((unsigned char)text.data[size] & 0xc0) != 0x80;

            if (begins && kept == room - 1)
                break;
            kept += begins;
        }
        width = room;
        fwrite(text.data, 1, size, out);
        fputs(table_ellipsis, out);
    } else {
        fwrite(text.data, 1, size, out);
    }
    if (!last)
        fprintf(out, "%*s%s", (int)(room - width), "", table_gap);
}

/* No spaces at a line's end: cells after the row's last one that says something are left out. */
static void table_print_row(const struct table *table, const struct table_cell *cells,
                            const size_t *widths, FILE *out)
{
    size_t columns = table->columns;

    while (columns > 0 && cells[columns - 1].width == 0)
        columns--;
    for (size_t i = 0; i < columns; i++)
        table_put(out, cells[i].text, cells[i].width, widths[i], i + 1 == columns);
    fputc('\n', out);
}

int table_print(struct table *table, FILE *out, size_t width)
{
    size_t widths[TABLE_COLUMNS_MAX];
    struct table_cell headings[TABLE_COLUMNS_MAX];
    int error;

    table_row_end(table);
    error = table->error;
    if (error == 0) {
        table_widths(table, widths, width);
        for (size_t i = 0; table->headings != NULL && i < table->columns; i++)
            headings[i] =
                (struct table_cell){slice_from(table->headings[i]), strlen(table->headings[i])};
        if (table->headings != NULL)
            table_print_row(table, headings, widths, out);
        for (size_t i = 0; i + table->columns <= table->count; i += table->columns)
            table_print_row(table, table->cells + i, widths, out);
        error = ferror(out) ? -EIO : 0;
    }
    free(table->cells);
    arena_free(&table->arena);
    *table = (struct table){.columns = table->columns};
    return error;
}
