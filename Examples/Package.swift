// swift-tools-version: 6.3
import PackageDescription

/// Paths of lyco's interface are those of swift-system.
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func example(_ name: String, _ products: [String]) -> Target {
  .executableTarget(
    name: name,
    dependencies: products.map { .product(name: $0, package: "lyco") } + [systemPackage])
}

let package = Package(
  name: "Examples",
  dependencies: [
    .package(name: "lyco", path: ".."),
    .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
  ],
  targets: [
    example("list-tensors", ["Safetensors", "Tensors"]),
    example("change-tensor", ["Safetensors", "Tensors"]),
    example("apply-adapter", ["Adapters", "Safetensors", "Tensors"]),
    // The code in lyco's documentation: scripts/checks/check-public.py holds it to these files.
    example("snippets", ["Adapters", "Safetensors", "Tensors"]),
  ]
)
