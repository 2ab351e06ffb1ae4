// p = softmax(logits); loss = -log p[label]; dlogits = (p - onehot(label)) / rows.
//
//   logits  [rows, classes]
//   labels  [rows]            each below classes
//   losses  [rows]
//   hits    [rows]            1 where the largest logit is at the label; the first of equals counts
//   dlogits [rows, classes]
//
// The largest logit is subtracted first, so no exponential overflows, and the loss is taken from
// the logits and the logarithm of the sum, so it is finite where p underflows.
//
// An invocation takes a row, a workgroup 64.
// Dispatch: one workgroup per 64 rows, folded into y where x would overflow.
// Host twin: engine/host/kernels.rs, softmax_cross_entropy.

struct Arguments {
    rows: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> hits: array<u32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let row = (group.x + group.y * groups.x) * 64u + local;
    if row >= args.rows { return; }
    let first = row * args.classes;
    let label = labels[row];

    var largest = logits[first];
    var guess = 0u;
    for (var c = 1u; c < args.classes; c++) {
        let logit = logits[first + c];
        if logit > largest {
            largest = logit;
            guess = c;
        }
    }

    // The label's share is kept apart: 1 - p[label] would lose its digits where p[label] is near 1.
    var others = 0.0;
    for (var c = 0u; c < args.classes; c++) {
        let power = exp(logits[first + c] - largest);
        dlogits[first + c] = power;
        others += select(power, 0.0, c == label);
    }
    let logit = logits[first + label];
    let sum = others + exp(logit - largest);
    losses[row] = (largest - logit) + log(sum);
    hits[row] = select(0u, 1u, guess == label);

    let scale = 1.0 / (sum * f32(args.rows));
    for (var c = 0u; c < args.classes; c++) {
        dlogits[first + c] = scale * select(dlogits[first + c], -others, c == label);
    }
}
