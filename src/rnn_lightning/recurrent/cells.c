/* Single steps of the peephole LSTM and of the layer-normalised LSTM, forward and backward, in single precision.

   T steps, B rows, H hidden units. All tensors are contiguous, time first: (T, B, H), or (T, B, 4 H) with the gates in the
   order input, forget, output, candidate. Each function computes the step `time` of all rows from what the step before (in the
   backward pass: the one after) left. A product or gradient that is not there is NULL.

   The steps of a loop over j do not depend on each other, which `omp simd` tells the compiler. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EPSILON 1e-5f

typedef struct { long time, rows, units; } sizes;

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

/* (x - mean) / deviation of a row of `count`, into `normal`; gives 1 / deviation. */
static float normalise(const float *restrict x, float *restrict normal, long count)
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

/* The gradient of a normalised row's inputs, from that of normal * gain. */
static void through_norm(const float *restrict gradient, const float *restrict normal, const float *restrict gain, float scale,
                         float *restrict to_inputs, long count)
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

void peephole_forward(sizes of, float *gates, const float *product, float *outputs, float *cells, float *bounded,
                      const float *peepholes, const float *start)
{
    long H = of.units, all = of.rows * H, at = of.time * all;
    const float *by_input = peepholes, *by_forget = peepholes + H, *by_output = peepholes + 2 * H;
    for (long row = 0; row < of.rows; row++) {
        float *restrict g = gates + 4 * (at + row * H), *restrict after = cells + at + row * H;
        float *restrict squashed = bounded + at + row * H, *restrict output = outputs + at + row * H;
        const float *restrict before = (of.time ? cells + at - all : start) + row * H, *restrict p = product + 4 * row * H;
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float in = sigmoid(g[j] + p[j] + by_input[j] * before[j]);
            float keep = sigmoid(g[H + j] + p[H + j] + by_forget[j] * before[j]);
            float candidate = hyperbolic_tangent(g[3 * H + j] + p[3 * H + j]);
            float cell = keep * before[j] + in * candidate;
            float out = sigmoid(g[2 * H + j] + p[2 * H + j] + by_output[j] * cell);
            g[j] = in;
            g[H + j] = keep;
            g[2 * H + j] = out;
            g[3 * H + j] = candidate;
            after[j] = cell;
            squashed[j] = hyperbolic_tangent(cell);
            output[j] = out * squashed[j];
        }
    }
}

/* `slopes` receives the gradient of the gates before their bounds; `to_cell` (B, H) goes from step to step. */
void peephole_backward(sizes of, float *slopes, const float *product, const float *from_outputs, const float *from_cells,
                       const float *gates, const float *cells, const float *bounded, const float *start, const float *peepholes,
                       float *to_cell)
{
    long H = of.units, all = of.rows * H, at = of.time * all;
    const float *by_input = peepholes, *by_forget = peepholes + H, *by_output = peepholes + 2 * H;
    for (long row = 0; row < of.rows; row++) {
        long here = at + row * H;
        float *restrict s = slopes + 4 * here, *restrict carried = to_cell + row * H;
        const float *restrict g = gates + 4 * here, *restrict squashed = bounded + here;
        const float *restrict before = (of.time ? cells + at - all : start) + row * H;
        gather_gradient(s + 2 * H, part(product, row * H), part(from_outputs, here), H);
        add_gradient(carried, part(from_cells, here), H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float in = g[j], keep = g[H + j], out = g[2 * H + j], candidate = g[3 * H + j], hidden = s[2 * H + j];
            float to_out = hidden * squashed[j] * out * (1.0f - out);
            float cell = carried[j] + hidden * out * (1.0f - squashed[j] * squashed[j]) + to_out * by_output[j];
            float to_in = cell * candidate * in * (1.0f - in), to_keep = cell * before[j] * keep * (1.0f - keep);
            s[j] = to_in;
            s[H + j] = to_keep;
            s[2 * H + j] = to_out;
            s[3 * H + j] = cell * in * (1.0f - candidate * candidate);
            carried[j] = cell * keep + to_in * by_input[j] + to_keep * by_forget[j];
        }
    }
}

/* `normals` (T, B, 4 H) and `cell_normals` (T, B, H) receive the normalised products and memory cells, `scales` and
   `cell_scales` (T, B) one over their standard deviations. */
void layer_norm_forward(sizes of, float *gates, const float *product, float *outputs, float *cells, float *bounded,
                        float *normals, float *scales, float *cell_normals, float *cell_scales, const float *gain,
                        const float *cell_gain, const float *cell_bias, const float *start)
{
    long H = of.units, all = of.rows * H, at = of.time * all;
    for (long row = 0; row < of.rows; row++) {
        long here = at + row * H, number = of.time * of.rows + row;
        float *restrict g = gates + 4 * here, *restrict n = normals + 4 * here, *restrict after = cells + here;
        float *restrict squashed = bounded + here, *restrict output = outputs + here, *restrict normal = cell_normals + here;
        const float *restrict before = (of.time ? cells + at - all : start) + row * H;
        scales[number] = normalise(product + 4 * row * H, n, 4 * H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            g[j] = sigmoid(g[j] + n[j] * gain[j]);
            g[H + j] = sigmoid(g[H + j] + n[H + j] * gain[H + j]);
            g[2 * H + j] = sigmoid(g[2 * H + j] + n[2 * H + j] * gain[2 * H + j]);
            g[3 * H + j] = hyperbolic_tangent(g[3 * H + j] + n[3 * H + j] * gain[3 * H + j]);
            after[j] = g[H + j] * before[j] + g[j] * g[3 * H + j];
        }
        cell_scales[number] = normalise(after, normal, H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            squashed[j] = hyperbolic_tangent(normal[j] * cell_gain[j] + cell_bias[j]);
            output[j] = g[2 * H + j] * squashed[j];
        }
    }
}

/* `slopes` receives the gradient of the gates before their bounds, `to_products` (T, B, 4 H) that of the recurrent products and
   `to_normals` (T, B, H) that of the normalised memory cell times its gain; `to_cell` (B, H) goes from step to step. */
void layer_norm_backward(sizes of, float *slopes, const float *product, const float *from_outputs, const float *from_cells,
                         const float *gates, const float *cells, const float *bounded, const float *normals,
                         const float *scales, const float *cell_normals, const float *cell_scales, const float *start,
                         const float *gain, const float *cell_gain, float *to_products, float *to_normals, float *to_cell,
                         float *work)
{
    long H = of.units, all = of.rows * H, at = of.time * all;
    for (long row = 0; row < of.rows; row++) {
        long here = at + row * H, number = of.time * of.rows + row;
        float *restrict s = slopes + 4 * here, *restrict carried = to_cell + row * H, *restrict outer = to_normals + here;
        const float *restrict g = gates + 4 * here, *restrict squashed = bounded + here;
        const float *restrict before = (of.time ? cells + at - all : start) + row * H;
        gather_gradient(s + 2 * H, part(product, row * H), part(from_outputs, here), H);
        add_gradient(carried, part(from_cells, here), H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float out = g[2 * H + j], hidden = s[2 * H + j];
            s[2 * H + j] = hidden * squashed[j] * out * (1.0f - out);
            outer[j] = hidden * out * (1.0f - squashed[j] * squashed[j]);
        }
        through_norm(outer, cell_normals + here, cell_gain, cell_scales[number], work, H);
#pragma omp simd
        for (long j = 0; j < H; j++) {
            float in = g[j], keep = g[H + j], candidate = g[3 * H + j];
            float cell = carried[j] + work[j];
            s[j] = cell * candidate * in * (1.0f - in);
            s[H + j] = cell * before[j] * keep * (1.0f - keep);
            s[3 * H + j] = cell * in * (1.0f - candidate * candidate);
            carried[j] = cell * keep;
        }
        through_norm(s, normals + 4 * here, gain, scales[number], to_products + 4 * here, 4 * H);
    }
}

/* `outputs` (T, B, H) hold the projected inputs, which become the outputs. */
void elman_forward(sizes of, float *outputs, const float *product)
{
    long all = of.rows * of.units;
    float *restrict output = outputs + of.time * all;
#pragma omp simd
    for (long j = 0; j < all; j++)
        output[j] = hyperbolic_tangent(output[j] + product[j]);
}

void elman_backward(sizes of, float *slopes, const float *product, const float *from_outputs, const float *outputs)
{
    long all = of.rows * of.units, at = of.time * all;
    float *restrict s = slopes + at;
    const float *restrict output = outputs + at;
    gather_gradient(s, product, part(from_outputs, at), all);
#pragma omp simd
    for (long j = 0; j < all; j++)
        s[j] *= 1.0f - output[j] * output[j];
}

/* Gates (T, B, 3 H) in the order reset, update, candidate; `from_hidden` (T, B, H) receives what the reset gate multiplies. */
void gru_forward(sizes of, float *gates, const float *product, float *outputs, float *from_hidden, const float *bias,
                 const float *start)
{
    long H = of.units, all = of.rows * H, at = of.time * all;
    for (long row = 0; row < of.rows; row++) {
        float *restrict g = gates + 3 * (at + row * H), *restrict output = outputs + at + row * H;
        float *restrict h = from_hidden + at + row * H;
        const float *restrict before = (of.time ? outputs + at - all : start) + row * H, *restrict p = product + 3 * row * H;
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

/* `slopes` (T, B, 3 H) receives the gradient of the projected inputs, `to_products` that of the recurrent products; `carried`
   (B, H) goes from step to step. */
void gru_backward(sizes of, float *slopes, const float *product, const float *from_outputs, const float *gates,
                  const float *outputs, const float *from_hidden, const float *start, float *to_products, float *carried)
{
    long H = of.units, all = of.rows * H, at = of.time * all;
    for (long row = 0; row < of.rows; row++) {
        long here = at + row * H;
        float *restrict s = slopes + 3 * here, *restrict to = to_products + 3 * here, *restrict on = carried + row * H;
        const float *restrict g = gates + 3 * here, *restrict h = from_hidden + here;
        const float *restrict before = (of.time ? outputs + at - all : start) + row * H;
        add_gradient(on, part(product, row * H), H);
        add_gradient(on, part(from_outputs, here), H);
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
    }
}
