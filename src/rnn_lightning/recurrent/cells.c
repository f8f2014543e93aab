/* Single steps of Elman's network, the GRU and the LSTM, plain, with peepholes and layer-normalised, forward and backward, in
   single precision.

   H hidden units, N rows of all steps together, of which no step has more than the one before. All tensors are contiguous:
   (N, H), or (N, 4 H) for four gates. Each function computes the rows of one step from what the step before (in the backward
   pass: the one after) left: they begin `at` a row, those of the step before at `before`, which is -1 at the first step, where
   the state is the start (R, H). A product or gradient that is not there is NULL.

   In the backward pass, the first `products` rows have a gradient from the step after, and gradients stand in a chunk of steps,
   C rows in all, (C, H) and so on, where the step begins at `slot`. `sums` receive the sums over all rows of the gradients of
   vectors.

   The steps of a loop over j do not depend on each other, which `omp simd` tells the compiler. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EPSILON 1e-5f

typedef struct { long at, before, slot, rows, products, units; } sizes;

/* exp(x) - 1, with a small relative error near 0 too: x = n ln 2 + r, exp(r) - 1 by a polynomial (Cephes, expf), then 2^n. */
static inline float exp_less_one(float x)
{
    x = x > 87.0f ? 87.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float shifted = x * 1.44269504f + 12582912.0f; /* 3 * 2^22: the whole number n is in the lowest bits */
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r;
    uint32_t bits;
    float scale;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale + (scale - 1.0f);
}

static inline float sigmoid(float x)
{
    return 1.0f / (2.0f + exp_less_one(-x));
}

static inline float hyperbolic_tangent(float x)
{
    float e = exp_less_one(2.0f * x);
    return e / (e + 2.0f);
}

/* (x - mean) / deviation of a row of `count`, into `normal`, which may be x; gives 1 / deviation. */
static float normalise(const float *x, float *normal, long count)
{
    float sum = 0.0f, squares = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (long j = 0; j < count; j++)
        sum += x[j];
    float mean = sum / count;
#pragma omp simd reduction(+ : squares)
    for (long j = 0; j < count; j++)
        squares += (x[j] - mean) * (x[j] - mean);
    float scale = 1.0f / sqrtf(squares / count + EPSILON);
#pragma omp simd
    for (long j = 0; j < count; j++)
        normal[j] = (x[j] - mean) * scale;
    return scale;
}

/* The gradient of a normalised row's inputs, from that of normal * gain, which it may take the place of. */
static void through_norm(const float *gradient, const float *restrict normal, const float *restrict gain, float scale,
                         float *to_inputs, long count)
{
    float sum = 0.0f, along = 0.0f;
#pragma omp simd reduction(+ : sum, along)
    for (long j = 0; j < count; j++) {
        float g = gradient[j] * gain[j];
        sum += g;
        along += g * normal[j];
    }
    sum /= count;
    along /= count;
#pragma omp simd
    for (long j = 0; j < count; j++)
        to_inputs[j] = scale * (gradient[j] * gain[j] - sum - normal[j] * along);
}

/* Adds another part of a gradient, if there is one; a loop that looks for it at every number takes 8 times as long. */
static void add_gradient(float *restrict into, const float *restrict other, long count)
{
    if (other) {
#pragma omp simd
        for (long j = 0; j < count; j++)
            into[j] += other[j];
    }
}

static void gather_gradient(float *restrict into, const float *product, const float *from_outputs, long count)
{
    memset(into, 0, count * sizeof *into);
    add_gradient(into, product, count);
    add_gradient(into, from_outputs, count);
}

static const float *part(const float *tensor, long offset)
{
    return tensor ? tensor + offset : NULL;
}

static const float *of_row(const float *product, sizes of, long row)
{
    return row < of.products ? product + row * of.units : NULL;
}

/* A row of a state (N, H) before the step. */
static const float *previous(const float *states, const float *start, sizes of, long row)
{
    return (of.before < 0 ? start : states + of.before * of.units) + row * of.units;
}

/* A step of the LSTM, with peepholes (3, H) of the input, forget and output gate if there are any. The gates' blocks are the
   input gate, the forget gate, and, where they are said to be, the output gate and the candidate. */
static inline __attribute__((always_inline)) void lstm_step(sizes of, const float *product, float *gates, float *outputs,
                                                            float *cells, float *bounded, const float *peepholes,
                                                            const float *start, long output_block, long candidate_block)
{
    long H = of.units, o = output_block * H, c = candidate_block * H;
    for (long row = 0; row < of.rows; row++) {
        long here = (of.at + row) * H;
        float *restrict g = gates + 4 * here, *restrict after = cells + here;
        float *restrict squashed = bounded + here, *restrict output = outputs + here;
        const float *restrict before = previous(cells, start, of, row), *restrict p = product + 4 * row * H;
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float in = sigmoid(g[j] + p[j] + (peepholes ? peepholes[j] * before[j] : 0.0f));
            float keep = sigmoid(g[H + j] + p[H + j] + (peepholes ? peepholes[H + j] * before[j] : 0.0f));
            float candidate = hyperbolic_tangent(g[c + j] + p[c + j]);
            float cell = keep * before[j] + in * candidate;
            float out = sigmoid(g[o + j] + p[o + j] + (peepholes ? peepholes[2 * H + j] * cell : 0.0f));
            g[j] = in;
            g[H + j] = keep;
            g[o + j] = out;
            g[c + j] = candidate;
            after[j] = cell;
            squashed[j] = hyperbolic_tangent(cell);
            output[j] = out * squashed[j];
        }
    }
}

/* `slopes` receives the gradient of the gates before their bounds; `to_cell` (R, H) goes from step to step. The sums are those
   of the bias, and of the peepholes. */
static inline __attribute__((always_inline)) void lstm_step_back(sizes of, const float *product, const float *from_outputs,
                                                                 const float *from_cells, float *slopes, const float *gates,
                                                                 const float *cells, const float *bounded, const float *start,
                                                                 const float *peepholes, float *to_cell, float *restrict sums,
                                                                 long output_block, long candidate_block)
{
    long H = of.units, o = output_block * H, c = candidate_block * H;
    for (long row = 0; row < of.rows; row++) {
        long here = (of.at + row) * H, place = (of.slot + row) * H;
        float *restrict s = slopes + 4 * place, *restrict carried = to_cell + row * H;
        const float *restrict g = gates + 4 * here, *restrict squashed = bounded + here;
        const float *restrict before = previous(cells, start, of, row), *restrict after = cells + here;
        gather_gradient(s + o, of_row(product, of, row), part(from_outputs, place), H);
        add_gradient(carried, part(from_cells, place), H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float in = g[j], keep = g[H + j], out = g[o + j], candidate = g[c + j], hidden = s[o + j];
            float to_out = hidden * squashed[j] * out * (1.0f - out);
            float cell = carried[j] + hidden * out * (1.0f - squashed[j] * squashed[j]);
            cell += peepholes ? to_out * peepholes[2 * H + j] : 0.0f;
            float to_in = cell * candidate * in * (1.0f - in), to_keep = cell * before[j] * keep * (1.0f - keep);
            s[j] = to_in;
            s[H + j] = to_keep;
            s[o + j] = to_out;
            s[c + j] = cell * in * (1.0f - candidate * candidate);
            carried[j] = cell * keep + (peepholes ? to_in * peepholes[j] + to_keep * peepholes[H + j] : 0.0f);
            if (peepholes) {
                sums[4 * H + j] += to_in * before[j];
                sums[5 * H + j] += to_keep * before[j];
                sums[6 * H + j] += to_out * after[j];
            }
        }
        add_gradient(sums, s, 4 * H);
    }
}

/* Gates in the order input, forget, candidate, output. */
void lstm_forward(sizes of, const float *product, float *gates, float *outputs, float *cells, float *bounded, const float *start)
{
    lstm_step(of, product, gates, outputs, cells, bounded, NULL, start, 3, 2);
}

void lstm_backward(sizes of, const float *product, const float *from_outputs, const float *from_cells, float *slopes,
                   const float *gates, const float *cells, const float *bounded, const float *start, float *to_cell, float *sums)
{
    lstm_step_back(of, product, from_outputs, from_cells, slopes, gates, cells, bounded, start, NULL, to_cell, sums, 3, 2);
}

/* Gates in the order input, forget, output, candidate. */
void peephole_forward(sizes of, const float *product, float *gates, float *outputs, float *cells, float *bounded,
                      const float *peepholes, const float *start)
{
    lstm_step(of, product, gates, outputs, cells, bounded, peepholes, start, 2, 3);
}

void peephole_backward(sizes of, const float *product, const float *from_outputs, const float *from_cells, float *slopes,
                       const float *gates, const float *cells, const float *bounded, const float *start, const float *peepholes,
                       float *to_cell, float *sums)
{
    lstm_step_back(of, product, from_outputs, from_cells, slopes, gates, cells, bounded, start, peepholes, to_cell, sums, 2, 3);
}

/* `input_normals` (N, 4 H) hold the products of the inputs, which are normalised. `normals` (N, 4 H) and `cell_normals` (N, H)
   receive the normalised recurrent products and memory cells, and `scales` (N, 3) one over the standard deviations of all
   three. Gates in the order input, forget, output, candidate. */
void layer_norm_forward(sizes of, const float *product, float *input_normals, float *outputs, float *gates, float *cells,
                        float *bounded, float *normals, float *cell_normals, float *scales, const float *input_gain,
                        const float *gain, const float *cell_gain, const float *bias, const float *cell_bias, const float *start)
{
    long H = of.units;
    for (long row = 0; row < of.rows; row++) {
        long here = (of.at + row) * H;
        float *restrict g = gates + 4 * here, *restrict x = input_normals + 4 * here, *restrict n = normals + 4 * here;
        float *restrict after = cells + here, *restrict squashed = bounded + here, *restrict output = outputs + here;
        float *restrict normal = cell_normals + here, *scale = scales + 3 * (of.at + row);
        const float *restrict before = previous(cells, start, of, row);
        scale[0] = normalise(x, x, 4 * H);
        scale[1] = normalise(product + 4 * row * H, n, 4 * H);
#pragma omp simd
        for (long j = 0; j < 4 * H; j++)
            g[j] = n[j] * gain[j] + (x[j] * input_gain[j] + bias[j]);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            g[j] = sigmoid(g[j]);
            g[H + j] = sigmoid(g[H + j]);
            g[2 * H + j] = sigmoid(g[2 * H + j]);
            g[3 * H + j] = hyperbolic_tangent(g[3 * H + j]);
            after[j] = g[H + j] * before[j] + g[j] * g[3 * H + j];
        }
        scale[2] = normalise(after, normal, H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            squashed[j] = hyperbolic_tangent(normal[j] * cell_gain[j] + cell_bias[j]);
            output[j] = g[2 * H + j] * squashed[j];
        }
    }
}

/* `to_products` and `to_inputs` (C, 4 H) receive the gradients of the recurrent products and of those of the inputs;
   `to_normals` and `work` (C, H) those of the normalised memory cell times its gain and of the memory cell; `to_cell` (R, H)
   goes from step to step. The sums are those of the gains of the inputs, the bias, the recurrent gains, the memory cell's gain
   and its bias. */
void layer_norm_backward(sizes of, const float *product, const float *from_outputs, const float *from_cells, float *to_products,
                         float *to_inputs, float *to_normals, float *work, const float *input_normals, const float *gates,
                         const float *cells, const float *bounded, const float *normals, const float *cell_normals,
                         const float *scales, const float *input_gain, const float *gain, const float *cell_gain,
                         const float *start, float *to_cell, float *restrict sums)
{
    long H = of.units;
    for (long row = 0; row < of.rows; row++) {
        long here = (of.at + row) * H, place = (of.slot + row) * H;
        float *restrict s = to_inputs + 4 * place, *restrict carried = to_cell + row * H, *restrict outer = to_normals + place;
        float *restrict inner = work + place;
        const float *restrict g = gates + 4 * here, *restrict squashed = bounded + here, *restrict normal = cell_normals + here;
        const float *restrict n = normals + 4 * here, *restrict x = input_normals + 4 * here;
        const float *scale = scales + 3 * (of.at + row);
        const float *restrict before = previous(cells, start, of, row);
        gather_gradient(s + 2 * H, of_row(product, of, row), part(from_outputs, place), H);
        add_gradient(carried, part(from_cells, place), H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float out = g[2 * H + j], hidden = s[2 * H + j];
            s[2 * H + j] = hidden * squashed[j] * out * (1.0f - out);
            outer[j] = hidden * out * (1.0f - squashed[j] * squashed[j]);
            sums[12 * H + j] += outer[j] * normal[j];
            sums[13 * H + j] += outer[j];
        }
        through_norm(outer, normal, cell_gain, scale[2], inner, H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float in = g[j], keep = g[H + j], candidate = g[3 * H + j];
            float cell = carried[j] + inner[j];
            s[j] = cell * candidate * in * (1.0f - in);
            s[H + j] = cell * before[j] * keep * (1.0f - keep);
            s[3 * H + j] = cell * in * (1.0f - candidate * candidate);
            carried[j] = cell * keep;
        }
#pragma omp simd
        for (long j = 0; j < 4 * H; j++) {
            sums[j] += s[j] * x[j];
            sums[4 * H + j] += s[j];
            sums[8 * H + j] += s[j] * n[j];
        }
        through_norm(s, n, gain, scale[1], to_products + 4 * place, 4 * H);
        through_norm(s, x, input_gain, scale[0], s, 4 * H);
    }
}

/* `projected` inputs (N, H) may be the outputs, and become them. */
void elman_forward(sizes of, const float *product, const float *projected, float *outputs)
{
    long all = of.rows * of.units;
    const float *input = projected + of.at * of.units;
    float *output = outputs + of.at * of.units;
#pragma omp simd
    for (long j = 0; j < all; j++)
        output[j] = hyperbolic_tangent(input[j] + product[j]);
}

void rectified_forward(sizes of, const float *product, const float *projected, float *outputs)
{
    long all = of.rows * of.units;
    const float *input = projected + of.at * of.units;
    float *output = outputs + of.at * of.units;
#pragma omp simd
    for (long j = 0; j < all; j++) {
        float sum = input[j] + product[j];
        output[j] = sum < 0.0f ? 0.0f : sum; /* what is no number stays so */
    }
}

static inline __attribute__((always_inline)) void elman_step_back(sizes of, const float *product, const float *from_outputs,
                                                                  float *slopes, const float *outputs, float *restrict sums,
                                                                  int rectified)
{
    long H = of.units;
    for (long row = 0; row < of.rows; row++) {
        long place = (of.slot + row) * H;
        float *restrict s = slopes + place;
        const float *restrict output = outputs + (of.at + row) * H;
        gather_gradient(s, of_row(product, of, row), part(from_outputs, place), H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            s[j] = rectified ? (output[j] > 0.0f ? s[j] : 0.0f) : s[j] * (1.0f - output[j] * output[j]);
            sums[j] += s[j];
        }
    }
}

void elman_backward(sizes of, const float *product, const float *from_outputs, float *slopes, const float *outputs, float *sums)
{
    elman_step_back(of, product, from_outputs, slopes, outputs, sums, 0);
}

void rectified_backward(sizes of, const float *product, const float *from_outputs, float *slopes, const float *outputs,
                        float *sums)
{
    elman_step_back(of, product, from_outputs, slopes, outputs, sums, 1);
}

/* Gates (N, 3 H) in the order reset, update, candidate; `from_hidden` (N, H) receives what the reset gate multiplies. */
void gru_forward(sizes of, const float *product, float *gates, float *outputs, float *from_hidden, const float *bias,
                 const float *start)
{
    long H = of.units;
    for (long row = 0; row < of.rows; row++) {
        long here = (of.at + row) * H;
        float *restrict g = gates + 3 * here, *restrict output = outputs + here, *restrict h = from_hidden + here;
        const float *restrict before = previous(outputs, start, of, row), *restrict p = product + 3 * row * H;
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float reset = sigmoid(g[j] + p[j] + bias[j]), update = sigmoid(g[H + j] + p[H + j] + bias[H + j]);
            h[j] = p[2 * H + j] + bias[2 * H + j];
            float candidate = hyperbolic_tangent(g[2 * H + j] + reset * h[j]);
            output[j] = candidate + update * (before[j] - candidate);
            g[j] = reset;
            g[H + j] = update;
            g[2 * H + j] = candidate;
        }
    }
}

/* `slopes` (C, 3 H) receives the gradient of the projected inputs, `to_products` that of the recurrent products; `carried`
   (R, H) goes from step to step. The sums are those of both gradients, the slopes first. */
void gru_backward(sizes of, const float *product, const float *from_outputs, float *to_products, float *slopes,
                  const float *gates, const float *outputs, const float *from_hidden, const float *start, float *carried,
                  float *restrict sums)
{
    long H = of.units;
    for (long row = 0; row < of.rows; row++) {
        long here = (of.at + row) * H, place = (of.slot + row) * H;
        float *restrict s = slopes + 3 * place, *restrict to = to_products + 3 * place, *restrict on = carried + row * H;
        const float *restrict g = gates + 3 * here, *restrict h = from_hidden + here;
        const float *restrict before = previous(outputs, start, of, row);
        add_gradient(on, of_row(product, of, row), H);
        add_gradient(on, part(from_outputs, place), H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float reset = g[j], update = g[H + j], candidate = g[2 * H + j], hidden = on[j];
            float to_candidate = hidden * (1.0f - update) * (1.0f - candidate * candidate);
            s[j] = to[j] = to_candidate * h[j] * reset * (1.0f - reset);
            s[H + j] = to[H + j] = hidden * (before[j] - candidate) * update * (1.0f - update);
            s[2 * H + j] = to_candidate;
            to[2 * H + j] = to_candidate * reset;
            on[j] = hidden * update;
        }
        add_gradient(sums, s, 3 * H);
        add_gradient(sums + 3 * H, to, 3 * H);
    }
}
