"""GLSL of the renderer."""

from quantization.render.lighting import MAX_DIRECTIONS, SOFTBOXES

HEAD = f"""#version 330
#define MAX_DIRECTIONS {MAX_DIRECTIONS}
#define SOFTBOXES {SOFTBOXES}
"""

# Every direction's shadow map is a tile of one atlas; one instanced draw fills them all. A tile just holds
# the part's bounding sphere, so nothing can reach over into its neighbour.
SHADOW_VERTEX = (
    HEAD
    + """
uniform mat3x4 u_place;
uniform vec4 u_sphere;
uniform int u_grid;
uniform float u_inset;
uniform vec3 u_axes[3 * MAX_DIRECTIONS];
in vec3 in_position;
void main() {
    vec3 p = (vec4(in_position, 1.0) * u_place - u_sphere.xyz) / u_sphere.w;
    int k = gl_InstanceID;
    vec3 q = vec3(dot(p, u_axes[3*k+1]), dot(p, u_axes[3*k+2]), -dot(p, u_axes[3*k]));
    vec2 tile = vec2(k % u_grid, k / u_grid);
    gl_Position = vec4((tile + q.xy * u_inset * 0.5 + 0.5) / float(u_grid) * 2.0 - 1.0, q.z, 1.0);
}
"""
)

SHADOW_FRAGMENT = "#version 330\nvoid main() {}\n"

LIGHT = """
uniform vec4 u_sphere;
uniform int u_grid;
uniform float u_inset;
uniform int u_count;
uniform int u_key_slot;
uniform float u_texel_mm;
uniform vec3 u_axes[3 * MAX_DIRECTIONS];
uniform float u_weights[MAX_DIRECTIONS];
uniform sampler2DShadow u_depth;

float visible(vec3 p, int k) {
    vec3 q = vec3(dot(p, u_axes[3*k+1]), dot(p, u_axes[3*k+2]), -dot(p, u_axes[3*k])) / u_sphere.w;
    if (max(abs(q.x), abs(q.y)) > 1.0) return 1.0;
    vec2 tile = vec2(k % u_grid, k / u_grid);
    vec2 at = (tile + q.xy * u_inset * 0.5 + 0.5) / float(u_grid);
    return texture(u_depth, vec3(at, min(q.z * 0.5 + 0.5, 1.0)));
}
// x: light that arrives, y: light that would without anything in the way, z: share of the lamps' that arrives
vec3 gather(vec3 p, vec3 n) {
    p -= u_sphere.xyz;
    vec3 total = vec3(0.0);
    float lamps = 1e-6;
    for (int k = 0; k < u_count; ++k) {
        float c = dot(n, u_axes[3*k]);
        if (c <= 0.0) continue;
        float e = c * u_weights[k];
        float slope = min(sqrt(1.0 - c * c) / c, 3.0);
        float v = visible(p + n * u_texel_mm * 0.7 + u_axes[3*k] * u_texel_mm * (0.3 + 0.35 * slope), k);
        total.xy += e * vec2(v, 1.0);
        if (k >= u_key_slot) { total.z += e * v; lamps += e; }
    }
    total.z /= lamps;
    return total;
}
"""

SURFACE_VERTEX = (
    HEAD
    + """
uniform mat3x4 u_place;
uniform mat4 u_clip;
uniform float u_nearer;
in vec3 in_position;
in vec3 in_normal;
in float in_shade;
out vec3 v_position;
out vec3 v_normal;
out float v_shade;
void main() {
    v_position = vec4(in_position, 1.0) * u_place;
    v_normal = vec4(in_normal, 0.0) * u_place;
    v_shade = in_shade;
    gl_Position = u_clip * vec4(v_position, 1.0);
    gl_Position.z -= u_nearer * gl_Position.w;
}
"""
)

# What is seen at each pixel, to be lit afterwards: small triangles make forward shading waste most of its
# work. The average over a pixel's samples rounds the normal over an edge, as a real mould does.
SURFACE_FRAGMENT = (
    HEAD
    + """
uniform vec3 u_eye;
uniform vec4 u_sphere;
uniform float u_alpha;
in vec3 v_position;
in vec3 v_normal;
in float v_shade;
layout(location = 0) out vec4 f_normal;
layout(location = 1) out vec4 f_position;
void main() {
    vec3 n = v_normal * inversesqrt(max(dot(v_normal, v_normal), 1e-8));
    if (dot(n, u_eye - v_position) < 0.0) {
        if (u_alpha < 1.0) discard;  // an edge whose rounding is turned away
        n = -n;
    }
    f_normal = vec4(n, u_alpha);
    f_position = vec4((v_position - u_sphere.xyz) / u_sphere.w, v_shade * u_alpha);
}
"""
)

GLOSS = """
uniform vec3 u_eye;
uniform vec4 u_keys[2];
uniform vec3 u_levels;
uniform float u_up;
uniform vec3 u_boxes[3 * SOFTBOXES];
uniform vec3 u_box_sizes[SOFTBOXES];
uniform float u_roughness;

float surroundings(vec3 d, float blur) {
    float h = d.z * u_up;
    float total = h > 0.0 ? mix(u_levels.y, u_levels.z, h) : mix(u_levels.x, u_levels.y, exp(8.0 * h));
    for (int k = 0; k < SOFTBOXES; ++k) {
        float ahead = dot(d, u_boxes[3*k]);
        if (ahead <= 0.001) continue;
        vec2 at = abs(vec2(dot(d, u_boxes[3*k+1]), dot(d, u_boxes[3*k+2]))) / ahead;
        vec2 inside = 1.0 - smoothstep(u_box_sizes[k].xy - blur, u_box_sizes[k].xy + blur, at);
        total += u_box_sizes[k].z * inside.x * inside.y;
    }
    return total;
}
// GGX with Smith's shadowing, Hammon's approximation.
float highlight(vec3 n, vec3 v, vec4 key) {
    vec3 h = normalize(key.xyz + v + 1e-5);
    float nl = max(dot(n, key.xyz), 0.0), nv = max(dot(n, v), 0.02), nh = max(dot(n, h), 0.0);
    float a = max(u_roughness * u_roughness, 0.012), a2 = a * a;
    float below = nh * nh * (a2 - 1.0) + 1.0;
    float d = a2 / (below * below);
    float g = 0.5 / mix(2.0 * nl * nv, nl + nv, a);
    return min(key.w * nl * d * g, 40.0);
}
float fresnel_of(float facing) {
    return 0.04 + 0.96 * pow(clamp(1.0 - facing, 0.0, 1.0), 5.0) * (1.0 - 0.7 * u_roughness);
}
"""

LIT_FRAGMENT = (
    HEAD
    + LIGHT
    + GLOSS
    + """
uniform sampler2D u_normals;
uniform sampler2D u_positions;
out vec4 f_layers;
void main() {
    vec4 normal = texelFetch(u_normals, ivec2(gl_FragCoord.xy), 0);
    vec4 position = texelFetch(u_positions, ivec2(gl_FragCoord.xy), 0);
    float coverage = clamp(normal.w, 0.0, 1.0);
    float over = 1.0 / max(coverage, 0.01);
    vec3 n = normal.xyz * inversesqrt(max(dot(normal.xyz, normal.xyz), 1e-8));
    vec3 p = position.xyz * over * u_sphere.w + u_sphere.xyz;
    vec3 v = normalize(u_eye - p);
    vec3 light = gather(p, n);
    float open = clamp(light.x / max(light.y, 1e-4), 0.0, 1.0);
    // Light that bounces between faces of middling albedo, 0.4: Jimenez et al. 2016, "Practical Realtime
    // Strategies for Accurate Indirect Occlusion".
    vec3 fit = vec3(2.0404, -4.7951, 2.7552) * 0.4 + vec3(-0.3324, 0.6417, 0.6903);
    float bounced = max(open, ((open * fit.x + fit.y) * open + fit.z) * open);
    float fresnel = fresnel_of(max(dot(n, v), 0.0));
    float gloss = fresnel * surroundings(reflect(-v, n), 0.03 + 0.9 * u_roughness) * mix(open, 1.0, 0.15);
    gloss += fresnel * (highlight(n, v, u_keys[0]) + highlight(n, v, u_keys[1])) * light.z;
    float shade = position.w * over;
    f_layers = vec4(light.y * bounced * shade * coverage, gloss * shade * coverage, 0.0, coverage);
}
"""
)

CLEAR_FRAGMENT = (
    HEAD
    + GLOSS
    + """
uniform float u_line;
in vec3 v_position;
in vec3 v_normal;
in float v_shade;
layout(location = 0) out vec4 f_layers;
void main() {
    vec3 v = normalize(u_eye - v_position);
    vec3 n = v_normal * inversesqrt(max(dot(v_normal, v_normal), 1e-8));
    float facing = dot(n, v);
    bool back = facing < 0.0;
    if (back) { n = -n; facing = -facing; }
    float gloss = surroundings(reflect(-v, n), 0.03 + 0.9 * u_roughness) + highlight(n, v, u_keys[0]);
    gloss *= fresnel_of(facing);
    float rim = clamp(1.0 - facing, 0.0, 1.0);
    float layer = 0.10 + 0.30 * rim * rim + 0.35 * u_line;
    f_layers = vec4(layer, gloss * (back ? 0.5 : 1.2) + u_line * 0.02, 0.0, 1.0);
}
"""
)

SCREEN_VERTEX = """#version 330
void main() {
    gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}
"""

GROUND_FRAGMENT = (
    HEAD
    + LIGHT
    + """
uniform vec3 u_eye;
uniform mat3 u_ray;
uniform float u_reach_mm;
uniform float u_step;
out float f_shadow;
void main() {
    vec3 d = u_ray * vec3(gl_FragCoord.xy * u_step, 1.0);
    float shadow = 1.0;
    if (d.z * u_eye.z < 0.0) {
        vec3 p = u_eye - d * (u_eye.z / d.z);
        if (dot(p.xy, p.xy) < u_reach_mm * u_reach_mm) {
            vec3 light = gather(p, vec3(0.0, 0.0, 1.0));
            shadow = light.x / max(light.y, 1e-4);
        }
    }
    f_shadow = shadow;
}
"""
)

PROGRAMS = {
    "shadow": (SHADOW_VERTEX, SHADOW_FRAGMENT),
    "surface": (SURFACE_VERTEX, SURFACE_FRAGMENT),
    "lit": (SCREEN_VERTEX, LIT_FRAGMENT),
    "clear": (SURFACE_VERTEX, CLEAR_FRAGMENT),
    "ground": (SCREEN_VERTEX, GROUND_FRAGMENT),
}
