// p = softmax(logits); loss = -log p[label]; dlogits = (p - onehot(label)) / rows.
//
//   logits  [rows, classes]   rows padded to whole vec4s; with what, does not matter
//   labels  [rows]            each below classes
//   losses  [rows]
//   hits    [rows]            1 where the largest logit is at the label; the first of equals counts
//   dlogits [rows, classes]   rows padded to whole vec4s with zeros
//
// The largest logit is subtracted first, so no exponential overflows, and the loss is taken from
// the logits and the logarithm of the sum, so it is finite where p underflows.
//
// Four invocations share a row, neighbours taking neighbouring vec4s, and hand each other what
// they found through workgroup memory. A workgroup of 64 has 16 rows, so that 512 rows are 32
// workgroups. Ten classes cost one trip to the L2 cache and two barriers: a vec4 is loaded three
// times, once a pass, but from the nearest cache after the first. Reasoned, not timed.
// Dispatch: one workgroup per 16 rows, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, softmax_cross_entropy.

struct Arguments {
    rows: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> hits: array<u32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<vec4<f32>>;

const ROWS = 16u;    // of a workgroup
const SHARES = 4u;   // of a row

struct Largest {
    logit: f32,
    class_: u32,
}

var<workgroup> largests: array<Largest, ROWS * SHARES>;
var<workgroup> sums: array<f32, ROWS * SHARES>;

// The larger, and of equals the first.
fn larger(one: Largest, other: Largest) -> Largest {
    let first = other.logit == one.logit && other.class_ < one.class_;
    if other.class_ < args.classes && (other.logit > one.logit || first) { return other; }
    return one;
}

@compute @workgroup_size(ROWS * SHARES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let row = (group.x + group.y * groups.x) * ROWS + local / SHARES;
    let share = local % SHARES;
    let shares = local - share;  // where the row's begin
    let quads = (args.classes + 3u) / 4u;
    // Behind the last row are barriers to reach, but nothing to store.
    let end = select(0u, quads, row < args.rows);
    let first = min(row, args.rows - 1u) * quads;
    let label = labels[min(row, args.rows - 1u)];

    var largest = Largest(logits[first].x, 0u);
    for (var q = share; q < end; q += SHARES) {
        let logit = logits[first + q];
        largest = larger(largest, Largest(logit.x, q * 4u));
        largest = larger(largest, Largest(logit.y, q * 4u + 1u));
        largest = larger(largest, Largest(logit.z, q * 4u + 2u));
        largest = larger(largest, Largest(logit.w, q * 4u + 3u));
    }
    largests[local] = largest;
    workgroupBarrier();
    for (var s = 0u; s < SHARES; s++) {
        largest = larger(largest, largests[shares + s]);
    }

    // The label's share is kept apart: 1 - p[label] would lose its digits where p[label] is near 1.
    var others = vec4(0.0);
    for (var q = share; q < end; q += SHARES) {
        let class_ = vec4(q * 4u) + vec4(0u, 1u, 2u, 3u);
        let power = exp(logits[first + q] - largest.logit);
        let is_label = class_ == vec4(label);
        others += select(power, vec4(0.0), is_label | (class_ >= vec4(args.classes)));
    }
    sums[local] = others.x + others.y + others.z + others.w;
    workgroupBarrier();
    var rest = 0.0;
    for (var s = 0u; s < SHARES; s++) {
        rest += sums[shares + s];
    }
    let logit = logits[first + label / 4u][label % 4u] - largest.logit;
    let sum = rest + exp(logit);
    if row < args.rows && share == 0u {
        losses[row] = log(sum) - logit;
        hits[row] = select(0u, 1u, largest.class_ == label);
    }

    let scale = 1.0 / (sum * f32(args.rows));
    for (var q = share; q < end; q += SHARES) {
        let class_ = vec4(q * 4u) + vec4(0u, 1u, 2u, 3u);
        let power = exp(logits[first + q] - largest.logit);
        let inside = select(power, vec4(0.0), class_ >= vec4(args.classes));
        dlogits[first + q] = scale * select(inside, vec4(-rest), class_ == vec4(label));
    }
}
