#include "conf/suggestion.h"

enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggestion_distance(struct slice a, struct slice b)
{
    size_t before_last[WORD_MAX + 1] = {0};
    size_t last[WORD_MAX + 1];
    size_t row[WORD_MAX + 1];

    if (a.size > WORD_MAX || b.size > WORD_MAX)
        return a.size > b.size ? a.size : b.size;
    for (size_t j = 0; j <= b.size; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t change = a.data[i - 1] == b.data[j - 1] ? 0 : 1;

            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + change);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], before_last[j - 2] + 1);
        }
        memcpy(before_last, last, sizeof(last));
        memcpy(last, row, sizeof(row));
    }
    return last[b.size];
}

bool suggestion_is_near(size_t distance, size_t size)
{
    if (size < 3)
        return distance == 0;
    return distance <= (size < 6 ? 1 : size / 3);
}

const char *suggestion_find(struct slice text, const char *const *words)
{
    const char *nearest = NULL;
    size_t nearest_distance = 0;

    for (; *words != NULL; words++) {
        size_t distance = suggestion_distance(text, slice_from(*words));

        if (suggestion_is_near(distance, text.size) &&
            (nearest == NULL || distance < nearest_distance)) {
            nearest = *words;
            nearest_distance = distance;
        }
    }
    return nearest;
}
