// dX = dY W^T where X > 0, and 0 elsewhere: back through a dense layer and the ReLU before it.
//
//   dy      [rows, outputs]
//   params  [inputs + 1, outputs]   W, and b as one more row, which is not read
//   x       [rows, inputs]          the layer's input, that is, the ReLU's output
//   dx      [rows, inputs]
//
// A workgroup of 32 computes a tile of 32 rows by 32 columns, each invocation 8 by 4 of it in
// registers. Slices of 16 along the sum, over outputs, pass through workgroup memory.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/host/kernels.rs, dense_input_gradient.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const SIDE = 32u;               // of a tile
const QUADS = SIDE / 4u;        // vec4s along a side
const SLICE = 16u;
const LOADS = SLICE * QUADS / 32u;

var<workgroup> dy_slice: array<vec4<f32>, SLICE * QUADS>;  // [k][row / 4]
var<workgroup> w_slice: array<vec4<f32>, SLICE * QUADS>;   // [k][column / 4]

fn dy_at(row: u32, k: u32) -> f32 {
    if row >= args.rows || k >= args.outputs { return 0.0; }
    return dy[row * args.outputs + k];
}

fn w_at(k: u32, column: u32) -> f32 {
    if k >= args.outputs || column >= args.inputs { return 0.0; }
    return params[column * args.outputs + k];
}

fn store(row: u32, column: u32, value: f32) {
    if row >= args.rows || column >= args.inputs { return; }
    let at = row * args.inputs + column;
    dx[at] = select(0.0, value, x[at] > 0.0);
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let tiles_across = (args.inputs + SIDE - 1u) / SIDE;
    let tile = group.x + group.y * groups.x;
    let row_0 = tile / tiles_across * SIDE;
    let column_0 = tile % tiles_across * SIDE;
    let my_rows = local / QUADS;
    let my_columns = local % QUADS;

    var sums: array<vec4<f32>, 8>;  // [row]
    for (var k_0 = 0u; k_0 < args.outputs; k_0 += SLICE) {
        for (var load = 0u; load < LOADS; load++) {
            let at = local + load * 32u;
            // Neighbours read neighbours: along a row of dY, along a row of W.
            let k = k_0 + at % SLICE;
            let to = at % SLICE * QUADS + at / SLICE;
            let row = row_0 + at / SLICE * 4u;
            dy_slice[to] =
                vec4(dy_at(row, k), dy_at(row + 1u, k), dy_at(row + 2u, k), dy_at(row + 3u, k));
            let column = column_0 + at / SLICE * 4u;
            w_slice[to] = vec4(w_at(k, column), w_at(k, column + 1u),
                               w_at(k, column + 2u), w_at(k, column + 3u));
        }
        workgroupBarrier();
        for (var k = 0u; k < SLICE; k++) {
            let dys = dy_slice[k * QUADS + my_rows * 2u];
            let dys_2 = dy_slice[k * QUADS + my_rows * 2u + 1u];
            let ws = w_slice[k * QUADS + my_columns];
            sums[0] = fma(vec4(dys.x), ws, sums[0]);
            sums[1] = fma(vec4(dys.y), ws, sums[1]);
            sums[2] = fma(vec4(dys.z), ws, sums[2]);
            sums[3] = fma(vec4(dys.w), ws, sums[3]);
            sums[4] = fma(vec4(dys_2.x), ws, sums[4]);
            sums[5] = fma(vec4(dys_2.y), ws, sums[5]);
            sums[6] = fma(vec4(dys_2.z), ws, sums[6]);
            sums[7] = fma(vec4(dys_2.w), ws, sums[7]);
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
