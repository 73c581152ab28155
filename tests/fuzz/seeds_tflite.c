/* Small models that together use every operator's reader. */
#include "fuzz.h"
#include "unit/tflite_writer.h"

static const int32_t ints[8] = {1, 1, 1, 2, 0, 0, 0, 0};
static const uint8_t no_map[] = {1, 2, 3, 4};

/* The inputs that operator `code` takes. */
static void set_inputs(struct tw_op *o, int code)
{
    switch (code) {
    case 3:
    case 4:
        o->n_in = 3;
        o->in[1] = 1;
        o->in[2] = 2;
        break;
    case 0:
    case 18:
    case 41:
    case 42:
    case 54:
    case 2:
    case 83:
        o->n_in = 2;
        o->in[1] = 0;
        break;
    case 22:
    case 23:
    case 34:
    case 36:
    case 39:
    case 40:
    case 69:
    case 70:
    case 74:
    case 82:
    case 89:
    case 97:
    case 100:
    case 56:
    case 79:
    case 130:
        o->n_in = 2;
        o->in[1] = code == 70 ? 5 : 4;
        break;
    case 45:
        o->n_in = 4;
        o->in[1] = o->in[2] = o->in[3] = 4;
        break;
    case 65:
        o->n_in = 3;
        o->in[1] = o->in[2] = 4;
        break;
    case 67:
        o->n_in = 3;
        o->in[0] = 4;
        o->in[1] = 1;
        o->in[2] = 0;
        break;
    case 49:
        o->n_in = 2;
        o->in[0] = 5;
        o->in[1] = 0;
        o->n_out = 2;
        o->out[1] = 6;
        break;
    case 88:
        o->n_out = 2;
        o->out[1] = 6;
        break;
    default:
        break;
    }
}

/* x [1,4,4,2] and some small integer tensors into operator `code`, one or two outputs. */
static void one_op(struct tw_model *m, int code)
{
    tw_conv_model(m);
    m->codes[0] = (struct tw_code){code < 127 ? code : 127, code,
                                   code == 32 ? "TFLite_Detection_PostProcess" : NULL};
    m->n_buffers = 5;
    m->buffers[3] = (struct tw_buffer){ints, 16, 0, 0};
    m->buffers[4] = (struct tw_buffer){ints, 4, 0, 0};
    struct tw_subgraph *s = &m->subgraphs[0];
    s->n_tensors = 7;
    s->tensors[4] =
        (struct tw_tensor){.name = "four", .rank = 1, .type = 2, .shape = {4}, .buffer = 3};
    s->tensors[5] = (struct tw_tensor){.name = "one", .type = 2, .buffer = 4};
    s->tensors[6] = (struct tw_tensor){.name = "two", .rank = 4, .shape = {1, 4, 4, 3}};
    struct tw_op *o = &s->ops[0];
    *o = (struct tw_op){
        .n_in = 1, .in = {0}, .n_out = 1, .out = {3}, .custom = no_map, .n_custom = sizeof no_map};
    o->n_options = 5; /* ones are right, or nearly, for every table of options */
    for (int i = 0; i < 5; i++) {
        o->options[i] = (struct tw_option){i, 4, 1, {0}};
    }
    set_inputs(o, code);
}

uint8_t *fuzz_seed(int i, size_t *size)
{
    static const int codes[] = {0,  1,  2,  3,  4,  5,  6,  9,   14,  17,  22,  23,  25, 32,
                                34, 36, 39, 40, 41, 43, 45, 49,  54,  56,  65,  67,  69, 70,
                                77, 82, 83, 88, 89, 97, 98, 100, 106, 114, 126, 130, 200};
    struct tw_model m;
    if (i == 0) {
        tw_conv_model(&m);
    } else if (i == 1) {
        tw_int8_model(&m);
    } else if (i - 2 < (int)(sizeof codes / sizeof codes[0])) {
        one_op(&m, codes[i - 2]);
    } else {
        return NULL;
    }
    struct tw_bytes b = tw_write(&m, NULL);
    *size = b.n;
    return b.data;
}
