#include "conf/yaml.h"

#include <yaml.h>

struct yaml_builder {
    yaml_parser_t parser;
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct slice file;
    unsigned line_offset; /* lines before what the parser was given */
    size_t nodes;
    struct yaml_node *root; /* of the document that is being built */
    bool stopped;           /* the parser gave up on this document */
};

static struct place yaml_place(const struct yaml_builder *builder, yaml_mark_t mark)
{
    return (struct place){.file = builder->file,
                          .line = builder->line_offset + (unsigned)mark.line + 1,
                          .column = (unsigned)mark.column + 1};
}

static void yaml_refuse(struct yaml_builder *builder, struct place place, const char *hint,
                        const char *reason)
{
    if (builder->root != NULL)
        builder->root->broken = true;
    diagnostics_add(builder->diagnostics, DIAGNOSTIC_ERROR, place, NULL, hint, "%s", reason);
}

/* As yaml_refuse, where going on makes no sense. Always false. */
static bool yaml_stop(struct yaml_builder *builder, struct place place, const char *reason)
{
    yaml_refuse(builder, place, NULL, reason);
    builder->stopped = true;
    return false;
}

/* Which line a byte of the parser's input is on. */
static unsigned yaml_line_of(const struct yaml_builder *builder, struct slice input, size_t offset)
{
    unsigned line = builder->line_offset + 1;

    for (size_t i = 0; i < offset && i < input.size; i++)
        line += input.data[i] == '\n';
    return line;
}

static void yaml_syntax_error(struct yaml_builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem == NULL ? "out of memory" : parser->problem;
    struct place place = yaml_place(builder, parser->problem_mark);

    if (parser->error == YAML_READER_ERROR) {
        struct slice input =
            slice_make((const char *)parser->input.string.start,
                       (size_t)(parser->input.string.end - parser->input.string.start));

        place.line = yaml_line_of(builder, input, parser->problem_offset);
        place.column = 1;
    }
    if (builder->root != NULL)
        builder->root->broken = true;
    diagnostics_add(builder->diagnostics, DIAGNOSTIC_ERROR, place, NULL,
                    parser->context == NULL
                        ? NULL
                        : "is the indentation right, and every quote and bracket closed?",
                    "not valid YAML: %s%s%s", parser->context == NULL ? "" : parser->context,
                    parser->context == NULL ? "" : ": ", problem);
    builder->stopped = true;
}

/* The caller deletes the event when this is true. */
static bool yaml_next_event(struct yaml_builder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(&builder->parser, event))
        return true;
    yaml_syntax_error(builder);
    return false;
}

static struct yaml_node *yaml_new_node(struct yaml_builder *builder, struct place place)
{
    struct yaml_node *node;

    if (++builder->nodes > YAML_NODES_MAX) {
        yaml_stop(builder, place, "the file has too many values");
        return NULL;
    }
    node = arena_allocate(builder->arena, sizeof(*node));
    if (node == NULL) {
        yaml_stop(builder, place, "out of memory");
        return NULL;
    }
    node->place = place;
    node->plain = true;
    return node;
}

static void yaml_check_tag(struct yaml_builder *builder, const yaml_event_t *event,
                           const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        yaml_refuse(builder, yaml_place(builder, event->start_mark), "write the value out",
                    "an anchor (&...) is not supported");
    if (tag != NULL)
        yaml_refuse(builder, yaml_place(builder, event->start_mark), "quote a text instead",
                    "a tag (!...) is not supported");
}

static bool yaml_text_is_clean(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if ((byte < ' ' && byte != '\n' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

static bool yaml_copy_text(struct yaml_builder *builder, const yaml_event_t *event,
                           struct slice *out)
{
    struct slice text =
        slice_make((const char *)event->data.scalar.value, event->data.scalar.length);
    struct place place = yaml_place(builder, event->start_mark);

    if (!yaml_text_is_clean(text)) {
        yaml_refuse(builder, place, NULL, "a control character is not allowed here");
        text.size = 0;
    }
    *out = arena_copy(builder->arena, text);
    return out->data != NULL || yaml_stop(builder, place, "out of memory");
}

static bool yaml_build(struct yaml_builder *builder, const yaml_event_t *event,
                       struct yaml_node *node, unsigned depth);

static void yaml_attach(struct yaml_node *parent, struct yaml_node **last, struct yaml_node *node)
{
    if (*last == NULL)
        parent->first = node;
    else
        (*last)->next = node;
    *last = node;
    parent->count++;
}

static bool yaml_build_list(struct yaml_builder *builder, struct yaml_node *list, unsigned depth)
{
    struct yaml_node *last = NULL;
    yaml_event_t event;

    while (yaml_next_event(builder, &event)) {
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct yaml_node *item =
            end ? NULL : yaml_new_node(builder, yaml_place(builder, event.start_mark));
        bool built = false;

        if (item != NULL) {
            /* Attached first, so that a broken document keeps what was read of it. */
            yaml_attach(list, &last, item);
            built = yaml_build(builder, &event, item, depth);
        }
        yaml_event_delete(&event);
        if (end || !built)
            return end;
    }
    return false;
}

static const struct yaml_node *yaml_member(const struct yaml_node *mapping, struct slice key)
{
    for (const struct yaml_node *node = mapping->first; node != NULL; node = node->next)
        if (slice_equal(node->key, key))
            return node;
    return NULL;
}

/* Attaches a member under its key, unless the mapping has that key already. */
static bool yaml_attach_member(struct yaml_builder *builder, struct yaml_node *mapping,
                               struct yaml_node **last, struct yaml_node *member)
{
    const struct yaml_node *twin = yaml_member(mapping, member->key);

    if (mapping->count == YAML_MEMBERS_MAX)
        return yaml_stop(builder, member->key_place, "the mapping has more than 512 keys");
    if (twin == NULL) {
        yaml_attach(mapping, last, member);
        return true;
    }
    builder->root->broken = true;
    diagnostics_add(builder->diagnostics, DIAGNOSTIC_ERROR, member->key_place, member->key.data,
                    "keep one of the two", "the key stands twice: on line %u and on line %u",
                    twin->key_place.line, member->key_place.line);
    return true;
}

/* Reads the key of `member` from the event; a key that is no scalar is read over. */
static bool yaml_build_key(struct yaml_builder *builder, const yaml_event_t *event,
                           struct yaml_node *member, unsigned depth)
{
    struct yaml_node ignored = {0};

    member->key_place = yaml_place(builder, event->start_mark);
    if (event->type == YAML_SCALAR_EVENT) {
        yaml_check_tag(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
        return yaml_copy_text(builder, event, &member->key);
    }
    yaml_refuse(builder, member->key_place, NULL, "a key must be a plain text");
    member->key = slice_from("?");
    return yaml_build(builder, event, &ignored, depth);
}

static bool yaml_build_member(struct yaml_builder *builder, const yaml_event_t *key_event,
                              struct yaml_node *mapping, struct yaml_node **last, unsigned depth)
{
    struct yaml_node *member = yaml_new_node(builder, yaml_place(builder, key_event->start_mark));
    yaml_event_t event;
    bool built;

    if (member == NULL || !yaml_build_key(builder, key_event, member, depth) ||
        !yaml_attach_member(builder, mapping, last, member) || !yaml_next_event(builder, &event))
        return false;
    member->place = yaml_place(builder, event.start_mark);
    built = yaml_build(builder, &event, member, depth);
    yaml_event_delete(&event);
    return built;
}

static bool yaml_build_mapping(struct yaml_builder *builder, struct yaml_node *mapping,
                               unsigned depth)
{
    struct yaml_node *last = NULL;
    yaml_event_t event;

    while (yaml_next_event(builder, &event)) {
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool built = !end && yaml_build_member(builder, &event, mapping, &last, depth);

        yaml_event_delete(&event);
        if (end || !built)
            return end;
    }
    return false;
}

/* Fills the node from the event that begins its value. False when the parser gave up. */
static bool yaml_build(struct yaml_builder *builder, const yaml_event_t *event,
                       struct yaml_node *node, unsigned depth)
{
    struct place place = yaml_place(builder, event->start_mark);

    if (depth >= YAML_DEPTH_MAX)
        return yaml_stop(builder, place, "nested deeper than 32 levels");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node->kind = YAML_SCALAR;
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        yaml_check_tag(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
        return yaml_copy_text(builder, event, &node->text);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = YAML_LIST;
        yaml_check_tag(builder, event, event->data.sequence_start.anchor,
                       event->data.sequence_start.tag);
        return yaml_build_list(builder, node, depth + 1);
    case YAML_MAPPING_START_EVENT:
        node->kind = YAML_MAPPING;
        yaml_check_tag(builder, event, event->data.mapping_start.anchor,
                       event->data.mapping_start.tag);
        return yaml_build_mapping(builder, node, depth + 1);
    default:
        yaml_refuse(builder, place, "write the value out", "an alias (*...) is not supported");
        return true;
    }
}

/* The document after its start event. False when the parser gave up. */
static bool yaml_build_document(struct yaml_builder *builder, struct yaml_node **document)
{
    yaml_event_t event;
    bool built = false;

    *document = NULL;
    builder->root = NULL;
    if (!yaml_next_event(builder, &event))
        return false;
    builder->root = yaml_new_node(builder, yaml_place(builder, event.start_mark));
    if (builder->root != NULL)
        built = yaml_build(builder, &event, builder->root, 0);
    yaml_event_delete(&event);
    *document = builder->root;
    return built;
}

/* The rest of the text from the first line after `line` that begins a document; a line "---" does
 * so wherever it stands (YAML 1.2.2, 9.1.2). Empty when there is none. */
static struct slice yaml_after(struct slice text, unsigned line, unsigned *rest_line)
{
    unsigned current = 1;

    for (size_t i = 0; i < text.size; i++) {
        bool line_start = i == 0 || text.data[i - 1] == '\n';

        current += i > 0 && line_start;
        if (line_start && current > line &&
            slice_has_prefix(slice_skip(text, i), slice_from("---"))) {
            *rest_line = current;
            return slice_skip(text, i);
        }
    }
    return slice_make(text.data, 0);
}

struct yaml_chain {
    struct yaml_node *first;
    struct yaml_node *last;
};

static void yaml_chain_add(struct yaml_chain *chain, struct yaml_node *document)
{
    if (document == NULL || (yaml_is_null(document) && !document->broken))
        return;
    if (chain->last == NULL)
        chain->first = document;
    else
        chain->last->next = document;
    chain->last = document;
}

/* Reads documents until the end or a syntax error; *line is where the last one began. */
static void yaml_read_documents(struct yaml_builder *builder, struct yaml_chain *chain,
                                unsigned *line)
{
    yaml_event_t event;

    for (;;) {
        struct yaml_node *document;
        yaml_event_type_t type;

        builder->root = NULL;
        if (!yaml_next_event(builder, &event))
            return;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT)
            *line = yaml_place(builder, event.start_mark).line;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return;
        if (type != YAML_DOCUMENT_START_EVENT)
            continue;
        yaml_build_document(builder, &document);
        yaml_chain_add(chain, document);
        if (builder->stopped)
            return;
    }
}

/* One parser's run over `rest`. Whether it was stopped by a mistake after which the next document
 * can be tried. */
static bool yaml_run(struct yaml_builder *builder, struct slice rest, struct yaml_chain *chain,
                     unsigned *line)
{
    bool again;

    builder->stopped = false;
    if (!yaml_parser_initialize(&builder->parser))
        return yaml_stop(builder, (struct place){.file = builder->file}, "out of memory");
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)rest.data, rest.size);
    yaml_read_documents(builder, chain, line);
    /* What is no text at all is no text from the next document on either. */
    again = builder->stopped && builder->parser.error != YAML_READER_ERROR &&
            builder->nodes <= YAML_NODES_MAX;
    yaml_parser_delete(&builder->parser);
    return again;
}

struct yaml_node *yaml_read(struct slice text, struct slice file, struct arena *arena,
                            struct diagnostics *diagnostics)
{
    struct yaml_builder builder = {.arena = arena, .diagnostics = diagnostics, .file = file};
    struct yaml_chain chain = {0};
    struct slice rest = text;
    unsigned line = 1;

    if (text.size > YAML_SIZE_MAX) {
        yaml_stop(&builder, (struct place){.file = file}, "the file is larger than 16 MiB");
        return NULL;
    }
    if (slice_has_prefix(rest, slice_from("\xef\xbb\xbf"))) /* a byte order mark */
        text = rest = slice_skip(rest, 3);
    for (int i = 0; i < YAML_BROKEN_MAX && rest.size > 0; i++) {
        if (!yaml_run(&builder, rest, &chain, &line))
            break;
        rest = yaml_after(text, line, &line);
        builder.line_offset = line - 1;
    }
    return chain.first;
}

const struct yaml_node *yaml_find(const struct yaml_node *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        size_t size = strcspn(path, ".");

        node = node->kind == YAML_MAPPING ? yaml_member(node, slice_make(path, size)) : NULL;
        path += size + (path[size] == '.');
    }
    return node;
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->text.size == 0 || slice_is(node->text, "~") || slice_is(node->text, "null"));
}

size_t yaml_strings(const struct yaml_node *node, struct slice *out, size_t room)
{
    size_t count = 0;

    if (node == NULL)
        return 0;
    if (node->kind == YAML_SCALAR) {
        out[0] = node->text;
        return 1;
    }
    for (node = node->first; node != NULL && count < room; node = node->next)
        out[count++] = node->text;
    return count;
}
