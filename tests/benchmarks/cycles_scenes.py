"""Blender's half of `render_against_cycles.py`: runs in a Python that has bpy and renders scenes in Cycles.

Each `NNN.npz` of a folder holds a mesh in the world (mm), a camera, lamps and the surroundings; each becomes `NNN.png`.
Prints a JSON list with the CPU seconds of each `render.render` call alone: neither the import of Blender nor the making
of the scene is counted.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import bpy
import mathutils
import numpy as np

SENSOR_MM = 36.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--denoise", action="store_true")
    args = parser.parse_args()
    seconds = []
    for path in sorted(args.folder.glob("*.npz")):
        with np.load(path) as scene:
            build({name: scene[name] for name in scene})
        settings(args.samples, args.denoise, path.with_suffix(".png"))
        start = time.process_time()
        bpy.ops.render.render(write_still=True)
        seconds.append(time.process_time() - start)
    print(json.dumps(seconds))


def settings(samples: int, denoise: bool, picture: Path) -> None:
    """One thread, Cycles' defaults but for what the command line says."""
    render = bpy.context.scene.render
    render.engine = "CYCLES"
    render.threads_mode, render.threads = "FIXED", 1
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    render.filepath = str(picture)
    bpy.context.scene.view_settings.view_transform = "Standard"
    bpy.context.scene.cycles.device = "CPU"
    bpy.context.scene.cycles.samples = samples
    bpy.context.scene.cycles.use_denoising = denoise


def build(scene: dict[str, np.ndarray]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    add_part(scene)
    add_belt(float(scene["ground_albedo"]))
    add_camera(scene)
    for key in scene["keys"]:
        if key[3] > 0:
            add_lamp(key[:3], float(key[3]), float(scene["softness_deg"]))
    add_surroundings(scene["surroundings"])


def add_part(scene: dict[str, np.ndarray]) -> None:
    mesh = bpy.data.meshes.new("part")
    mesh.from_pydata(scene["vertices_mm"].tolist(), [], scene["triangles"].tolist())
    mesh.polygons.foreach_set("use_smooth", [True] * len(scene["triangles"]))
    mesh.normals_split_custom_set_from_vertices(scene["normals"].tolist())
    mesh.materials.append(plastic("plastic", scene["colour_linear"], float(scene["roughness"])))
    bpy.context.collection.objects.link(bpy.data.objects.new("part", mesh))


def add_belt(albedo: float) -> None:
    mesh = bpy.data.meshes.new("belt")
    far = 5000.0
    mesh.from_pydata([(-far, -far, 0), (far, -far, 0), (far, far, 0), (-far, far, 0)], [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new("belt")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.remove(nodes["Principled BSDF"])
    diffuse = nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (albedo, albedo, albedo, 1)
    material.node_tree.links.new(diffuse.outputs[0], nodes["Material Output"].inputs["Surface"])
    mesh.materials.append(material)
    bpy.context.collection.objects.link(bpy.data.objects.new("belt", mesh))


def plastic(name: str, colour_linear: np.ndarray, roughness: float) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*map(float, colour_linear), 1)
    shader.inputs["Roughness"].default_value = roughness
    return material


def add_camera(scene: dict[str, np.ndarray]) -> None:
    """Camera axes here are right, down, ahead; Blender's are right, up, backwards. A crop is a shifted lens."""
    width, height = (int(side) for side in scene["size_px"])
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = width, height
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", SENSOR_MM
    camera.lens = float(scene["focal_px"]) / width * SENSOR_MM
    u, v = (float(at) for at in scene["centre_px"])
    camera.shift_x, camera.shift_y = (width / 2 - u) / width, (v - height / 2) / width
    camera.clip_start, camera.clip_end = 1.0, 20_000.0
    placed = bpy.data.objects.new("camera", camera)
    right, down, ahead = scene["camera"][:, :3]
    world = np.eye(4)
    world[:3, :3] = np.stack([right, -down, -ahead], axis=1)
    world[:3, 3] = scene["eye_mm"]
    placed.matrix_world = mathutils.Matrix(world.tolist())
    bpy.context.collection.objects.link(placed)
    bpy.context.scene.camera = placed


def add_lamp(towards: np.ndarray, strength: float, softness_deg: float) -> None:
    """A sun: `strength` is what a white face turned to it reflects, so its irradiance is π times that."""
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle = math.pi * strength, 2 * math.radians(softness_deg)
    placed = bpy.data.objects.new("sun", sun)
    placed.rotation_euler = mathutils.Vector(towards.tolist()).to_track_quat("Z", "Y").to_euler()
    bpy.context.collection.objects.link(placed)


def add_surroundings(radiance: np.ndarray) -> None:
    """(H, W) radiance by latitude, from below up, and longitude, as Blender maps an environment picture."""
    height, width = radiance.shape
    picture = bpy.data.images.new("surroundings", width, height, float_buffer=True)
    picture.colorspace_settings.name = "Non-Color"
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = radiance[..., None]
    picture.pixels.foreach_set(rgba.ravel())
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    bpy.context.scene.world = world
    nodes = world.node_tree.nodes
    texture = nodes.new("ShaderNodeTexEnvironment")
    texture.image = picture
    world.node_tree.links.new(texture.outputs["Color"], nodes["Background"].inputs["Color"])


if __name__ == "__main__":
    main()
