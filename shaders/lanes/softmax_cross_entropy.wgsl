// p = softmax(logits); loss = -log p[label]; dlogits = (p - onehot(label)) / rows.
//
//   logits  [rows, classes]   a storage texture, four columns a texel
//   labels  [rows]            each below classes
//   losses  [rows]
//   hits    [rows]            1 where the largest logit is at the label; the first of equals counts
//   dlogits [rows, classes]   a storage texture; what pads a texel is zero
//
// The largest logit is subtracted first, so no exponential overflows, and the loss is taken from
// the logits and the logarithm of the sum, so it is finite where p underflows.
//
// A lane takes a row, a workgroup 8. A texel is loaded three times, once a pass: with ten classes
// that is nothing beside the products.
// Dispatch: one workgroup per 8 rows, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, softmax_cross_entropy.

struct Arguments {
    rows: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var logits: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> hits: array<u32>;
@group(0) @binding(5) var dlogits: texture_storage_2d<rgba32float, write>;

const ROWS = 8u;   // of a workgroup

struct Largest {
    logit: f32,
    class_: u32,
}

fn larger(one: Largest, logit: f32, class_: u32) -> Largest {
    if class_ < args.classes && logit > one.logit { return Largest(logit, class_); }
    return one;
}

@compute @workgroup_size(ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let row = (group.x + group.y * groups.x) * ROWS + lane;
    if row >= args.rows { return; }
    let label = labels[row];
    let quads = (args.classes + 3u) / 4u;

    var largest = Largest(textureLoad(logits, vec2(0u, row)).x, 0u);
    for (var q = 0u; q < quads; q++) {
        let logit = textureLoad(logits, vec2(q, row));
        largest = larger(largest, logit.x, q * 4u);
        largest = larger(largest, logit.y, q * 4u + 1u);
        largest = larger(largest, logit.z, q * 4u + 2u);
        largest = larger(largest, logit.w, q * 4u + 3u);
    }

    // The label's share is kept apart: 1 - p[label] would lose its digits where p[label] is near 1.
    var others = vec4(0.0);
    var own = vec4(0.0);
    for (var q = 0u; q < quads; q++) {
        let class_ = vec4(q * 4u) + vec4(0u, 1u, 2u, 3u);
        let logit = textureLoad(logits, vec2(q, row)) - largest.logit;
        let is_label = class_ == vec4(label);
        own = select(own, logit, is_label);
        others += select(exp(logit), vec4(0.0), is_label | (class_ >= vec4(args.classes)));
    }
    let rest = others.x + others.y + others.z + others.w;
    let logit = own.x + own.y + own.z + own.w;
    let sum = rest + exp(logit);
    losses[row] = log(sum) - logit;
    hits[row] = select(0u, 1u, largest.class_ == label);

    let scale = 1.0 / (sum * f32(args.rows));
    for (var q = 0u; q < quads; q++) {
        let class_ = vec4(q * 4u) + vec4(0u, 1u, 2u, 3u);
        let power = exp(textureLoad(logits, vec2(q, row)) - largest.logit);
        let inside = select(power, vec4(0.0), class_ >= vec4(args.classes));
        textureStore(dlogits, vec2(q, row), scale * select(inside, vec4(-rest), class_ == vec4(label)));
    }
}
