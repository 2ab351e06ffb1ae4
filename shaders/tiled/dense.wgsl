// Y = act(X W + b), act being ReLU or the identity.
//
//   x       [rows, inputs]
//   params  [inputs + 1, outputs]   W, and b as one more row
//   y       [rows, outputs]
//
// With a column of ones behind X this is one matrix product over inputs + 1.
//
// A workgroup of 32 computes a tile of 32 rows by 32 columns, each invocation 8 by 4 of it in
// registers. Slices of 16 along the sum pass through workgroup memory.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/host/kernels.rs, dense.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const SIDE = 32u;               // of a tile
const QUADS = SIDE / 4u;        // vec4s along a side
const SLICE = 16u;
const LOADS = SLICE * QUADS / 32u;

var<workgroup> x_slice: array<vec4<f32>, SLICE * QUADS>;  // [k][row / 4]
var<workgroup> w_slice: array<vec4<f32>, SLICE * QUADS>;  // [k][column / 4]

fn x_at(row: u32, k: u32) -> f32 {
    if row >= args.rows || k > args.inputs { return 0.0; }
    if k == args.inputs { return 1.0; }
    return x[row * args.inputs + k];
}

fn w_at(k: u32, column: u32) -> f32 {
    if k > args.inputs || column >= args.outputs { return 0.0; }
    return params[k * args.outputs + column];
}

fn store(row: u32, column: u32, value: f32) {
    if row >= args.rows || column >= args.outputs { return; }
    y[row * args.outputs + column] =
        select(value, 0.0, args.relu != 0u && value < 0.0);
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let tiles_across = (args.outputs + SIDE - 1u) / SIDE;
    let tile = group.x + group.y * groups.x;
    let row_0 = tile / tiles_across * SIDE;
    let column_0 = tile % tiles_across * SIDE;
    let my_rows = local / QUADS;
    let my_columns = local % QUADS;

    var sums: array<vec4<f32>, 8>;  // [row]
    for (var k_0 = 0u; k_0 <= args.inputs; k_0 += SLICE) {
        for (var load = 0u; load < LOADS; load++) {
            let at = local + load * 32u;
            // Neighbours read neighbours: along a row of X, along a row of W.
            let k = k_0 + at % SLICE;
            let row = row_0 + at / SLICE * 4u;
            x_slice[at % SLICE * QUADS + at / SLICE] =
                vec4(x_at(row, k), x_at(row + 1u, k), x_at(row + 2u, k), x_at(row + 3u, k));
            let k_w = k_0 + at / QUADS;
            let column = column_0 + at % QUADS * 4u;
            w_slice[at] = vec4(w_at(k_w, column), w_at(k_w, column + 1u),
                               w_at(k_w, column + 2u), w_at(k_w, column + 3u));
        }
        workgroupBarrier();
        for (var k = 0u; k < SLICE; k++) {
            let xs = x_slice[k * QUADS + my_rows * 2u];
            let xs_2 = x_slice[k * QUADS + my_rows * 2u + 1u];
            let ws = w_slice[k * QUADS + my_columns];
            sums[0] = fma(vec4(xs.x), ws, sums[0]);
            sums[1] = fma(vec4(xs.y), ws, sums[1]);
            sums[2] = fma(vec4(xs.z), ws, sums[2]);
            sums[3] = fma(vec4(xs.w), ws, sums[3]);
            sums[4] = fma(vec4(xs_2.x), ws, sums[4]);
            sums[5] = fma(vec4(xs_2.y), ws, sums[5]);
            sums[6] = fma(vec4(xs_2.z), ws, sums[6]);
            sums[7] = fma(vec4(xs_2.w), ws, sums[7]);
        }
        workgroupBarrier();
    }
    let column = column_0 + my_columns * 4u;
    for (var r = 0u; r < 8u; r++) {
        let row = row_0 + my_rows * 8u + r;
        store(row, column, sums[r].x);
        store(row, column + 1u, sums[r].y);
        store(row, column + 2u, sums[r].z);
        store(row, column + 3u, sums[r].w);
    }
}
