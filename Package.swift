// swift-tools-version: 6.3
import PackageDescription

/// Whether it is `scripts/test.sh` that builds, which also wants the worked example of a family.
let isTested = Context.environment["LYCO_TESTS"] != nil

let house: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]
/// Tests: the macros of Swift Testing expand to unmarked unsafe code.
let tests: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (isTested ? [.define("MADE_UP_FAMILY")] : [])
/// For targets whose API hands out spans.
let lifetimes: [SwiftSetting] = house + [.enableExperimentalFeature("Lifetimes")]

/// A file of that example; elsewhere there is no such family.
func unlessTested(_ files: String...) -> [String] { isTested ? [] : files }

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let orderedCollections = Target.Dependency.product(
  name: "OrderedCollections", package: "swift-collections")
let heaps = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

/// One command line tool: words only, the work is in `Operations`.
func tool(_ name: String, _ others: Target.Dependency...) -> Target {
  .executableTarget(
    name: name,
    dependencies: [
      "CommandSupport", "Reports", "Machine", "Operations", "Checkpoints", "Safetensors",
      "ModelFamilies", "Adapters",
      "LinearAlgebra", "Patterns", "Tensors", argumentParser, systemPackage,
    ] + others,
    swiftSettings: house)
}

let package = Package(
  name: "lyco",
  products: [
    .executable(name: "lyco-extract", targets: ["lyco-extract"]),
    .executable(name: "lyco-merge", targets: ["lyco-merge"]),
    .executable(name: "lyco-convert", targets: ["lyco-convert"]),
    .executable(name: "lyco-inspect", targets: ["lyco-inspect"]),
    .executable(name: "lyco-train", targets: ["lyco-train"]),
    .executable(name: "lyco-sample", targets: ["lyco-sample"]),
    // For other packages: what is public in them is said in CONTRIBUTING.md.
    .library(name: "Tensors", targets: ["Tensors"]),
    .library(name: "Safetensors", targets: ["Safetensors", "TorchFiles"]),
    .library(name: "Adapters", targets: ["Adapters", "Checkpoints"]),
    // Of the tests: it is preloaded, and so must be a library of its own.
    .library(name: "FileFaults", type: .dynamic, targets: ["FileFaults"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
  ],
  targets: [
    // MARK: C and system libraries
    .target(name: "CKernels"),
    .target(name: "CPlatform", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CSketch", dependencies: ["CPlatform"]),
    // OpenBLAS, LAPACKE and oneDNN are not linked: they are loaded where the first product is taken.
    .target(name: "CBLAS", dependencies: ["CPlatform"]),
    .systemLibrary(
      name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(
      name: "CCrypto", pkgConfig: "libcrypto",
      providers: [.apt(["libssl-dev"]), .brew(["openssl"])]),
    .target(
      name: "COneDNN", dependencies: ["CPlatform"], linkerSettings: [.linkedLibrary("dl")]),
    .target(
      name: "CLayers", dependencies: ["COneDNN", "CPlatform"],
      linkerSettings: [.linkedLibrary("m")]),
    .target(
      name: "CImages",
      linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("webp")]),
    .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
    // No library of MPI: it is loaded where mpirun has started the process.
    .target(name: "CMPI", linkerSettings: [.linkedLibrary("dl")]),

    // MARK: Of the build
    .executableTarget(name: "embed-tables", dependencies: ["TOML"], swiftSettings: house),
    .plugin(name: "EmbedTables", capability: .buildTool(), dependencies: ["embed-tables"]),
    .executableTarget(name: "list-pipelines", swiftSettings: house),
    .plugin(name: "ListPipelines", capability: .buildTool(), dependencies: ["list-pipelines"]),

    // MARK: Libraries, lowest first: a target depends only on those above it
    .target(name: "Tensors", dependencies: ["CKernels"], swiftSettings: lifetimes),
    .target(
      name: "LinearAlgebra", dependencies: ["Tensors", "CKernels", "CSketch", "CBLAS"],
      swiftSettings: house),
    .target(name: "Patterns", dependencies: ["CRE2"], swiftSettings: house),
    .target(
      name: "Machine", dependencies: ["CPlatform", systemPackage], swiftSettings: house),
    .target(name: "Cluster", dependencies: ["CMPI", "Machine"], swiftSettings: house),
    .target(name: "TOML", swiftSettings: house),
    .target(name: "TorchFiles", dependencies: ["Tensors"], swiftSettings: lifetimes),
    .target(
      name: "Safetensors",
      dependencies: [
        "Machine", "Tensors", "TorchFiles", "CPlatform", "CZstd", systemPackage,
        orderedCollections,
      ],
      swiftSettings: lifetimes),
    .target(name: "Adapters", dependencies: ["Tensors", "LinearAlgebra"], swiftSettings: house),
    .target(
      name: "ModelFamilies", dependencies: ["Tensors", "TOML"],
      exclude: unlessTested("Families/pebble.toml"),
      swiftSettings: house, plugins: ["EmbedTables"]),
    .target(
      name: "Checkpoints",
      dependencies: [
        "Machine", "Tensors", "LinearAlgebra", "Patterns", "Safetensors", "Adapters",
        "ModelFamilies", "CCrypto", "TOML", orderedCollections, systemPackage,
      ],
      swiftSettings: house, plugins: ["EmbedTables"]),
    .target(
      name: "Autograd",
      dependencies: ["Tensors", "LinearAlgebra", "COneDNN", "CLayers", heaps],
      swiftSettings: house),
    .target(
      name: "DiffusionModels", dependencies: ["Tensors", "Autograd", heaps],
      exclude: unlessTested("PebbleModel.swift", "PebbleText.swift"), swiftSettings: house),
    .target(
      name: "Pipelines",
      dependencies: [
        "Machine", "Tensors", "LinearAlgebra", "Safetensors", "Adapters", "ModelFamilies",
        "Checkpoints", "Autograd", "DiffusionModels", orderedCollections, systemPackage,
      ],
      exclude: unlessTested("PebblePipeline.swift"), swiftSettings: house,
      plugins: ["ListPipelines"]),
    .target(
      name: "Images", dependencies: ["Machine", "Tensors", "CImages", systemPackage],
      swiftSettings: house),
    .target(
      name: "Sampling",
      dependencies: [
        "Machine", "Tensors", "LinearAlgebra", "TOML", "Safetensors", "ModelFamilies",
        "Checkpoints", "Autograd", "Pipelines", orderedCollections, systemPackage,
      ],
      swiftSettings: house),
    .target(
      name: "Training",
      dependencies: [
        "Tensors", "LinearAlgebra", "Patterns", "Safetensors", "Adapters", "ModelFamilies",
        "Checkpoints", "Autograd", "Pipelines", "Images", "Sampling", "Machine", "CPlatform",
        "CKernels",
        "TOML",
        orderedCollections,
        systemPackage,
      ],
      swiftSettings: lifetimes),
    .target(
      name: "Operations",
      dependencies: [
        "Machine", "Tensors", "LinearAlgebra", "Patterns", "Safetensors", "Adapters",
        "ModelFamilies", "Checkpoints", orderedCollections, systemPackage,
      ],
      swiftSettings: lifetimes),
    .target(
      name: "CommandSupport",
      dependencies: [
        "Machine", "Cluster", "Operations", "Patterns", "Checkpoints", "Safetensors",
        "ModelFamilies",
        "Adapters",
        "LinearAlgebra",
        "Tensors",
        "CPlatform", argumentParser, systemPackage,
      ],
      swiftSettings: house),

    .target(
      name: "Reports", dependencies: ["CommandSupport", "Operations", "Machine", systemPackage],
      swiftSettings: house),

    // MARK: Tools
    tool("lyco-extract", "CPlatform", "Training", "Sampling", "Pipelines"),
    tool("lyco-merge"),
    tool("lyco-convert"),
    tool("lyco-inspect"),
    .executableTarget(
      name: "lyco-train",
      dependencies: [
        "CommandSupport", "Cluster", "Reports", "Operations", "Training", "Sampling", "Pipelines",
        "Autograd", "Images",
        "Checkpoints", "Safetensors", "ModelFamilies", "Adapters", "LinearAlgebra", "Patterns",
        "Tensors", "CPlatform", "Machine", "TOML",
        argumentParser, systemPackage,
      ],
      swiftSettings: house),

    .executableTarget(
      name: "lyco-sample",
      dependencies: [
        "CommandSupport", "Operations", "Sampling", "Pipelines", "Autograd", "Images",
        "Checkpoints", "Safetensors", "ModelFamilies", "LinearAlgebra", "CPlatform", "Machine",
        argumentParser, systemPackage,
      ],
      swiftSettings: house),

    // MARK: Tests
    .target(name: "FileFaults", path: "Tests/FileFaults", linkerSettings: [.linkedLibrary("dl")]),
    .target(
      name: "TestSupport",
      dependencies: [
        "Tensors", "Safetensors", "ModelFamilies", systemPackage, orderedCollections,
      ],
      path: "Tests/TestSupport", swiftSettings: tests),
    .testTarget(
      name: "TensorsTests", dependencies: ["Tensors", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "LinearAlgebraTests",
      dependencies: [
        "LinearAlgebra", "CBLAS", "CKernels", "CSketch", "Tensors", "TestSupport", systemPackage,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "MachineTests", dependencies: ["Machine", "TestSupport", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "ClusterTests", dependencies: ["Cluster", "Machine"], swiftSettings: tests),
    .testTarget(
      name: "TOMLTests", dependencies: ["TOML", "Safetensors", "TestSupport", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "PatternsTests", dependencies: ["Patterns", "TestSupport", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "TorchFilesTests",
      dependencies: [
        "TorchFiles", "Safetensors", "Tensors", "TestSupport", systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "SafetensorsTests",
      dependencies: [
        "Safetensors", "TorchFiles", "Machine", "Tensors", "TestSupport", systemPackage,
        orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "AdaptersTests",
      dependencies: [
        "Adapters", "LinearAlgebra", "Safetensors", "Tensors", "TestSupport", systemPackage,
        orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "ModelFamiliesTests",
      dependencies: ["ModelFamilies", "Tensors", "TestSupport", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "CheckpointsTests",
      dependencies: [
        "Checkpoints", "Adapters", "ModelFamilies", "Patterns", "Safetensors", "Tensors",
        "TestSupport", systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "AutogradTests",
      dependencies: [
        "Autograd", "LinearAlgebra", "Adapters", "Safetensors", "Tensors", "TestSupport",
        "COneDNN", "CLayers", systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "DiffusionModelsTests",
      dependencies: [
        "DiffusionModels", "Pipelines", "Autograd", "Checkpoints", "ModelFamilies", "Images",
        "Safetensors", "Tensors", "TestSupport", systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "ImagesTests",
      dependencies: ["Images", "Machine", "Safetensors", "Tensors", "TestSupport", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "SamplingTests",
      dependencies: [
        "Sampling", "Pipelines", "Autograd", "Images", "Checkpoints", "ModelFamilies",
        "LinearAlgebra",
        "Safetensors", "Tensors", "TestSupport", systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Sampling", "Pipelines", "DiffusionModels", "Autograd", "Images", "Checkpoints",
        "Adapters",
        "ModelFamilies", "LinearAlgebra", "Machine", "Safetensors", "Tensors", "TestSupport",
        systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "OperationsTests",
      dependencies: [
        "Operations", "Checkpoints", "Adapters", "ModelFamilies", "LinearAlgebra", "Patterns",
        "Safetensors", "Tensors", "TestSupport", systemPackage, orderedCollections,
      ],
      swiftSettings: tests),
    .testTarget(
      name: "CommandSupportTests", dependencies: ["CommandSupport", "Operations", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "ReportsTests", dependencies: ["Reports", "Operations", "TestSupport", systemPackage],
      swiftSettings: tests),
    .testTarget(
      name: "ToolTests",
      dependencies: [
        "TestSupport", "Machine", "Images", "Safetensors", "Tensors", "CommandSupport",
        argumentParser, systemPackage, orderedCollections, "lyco-extract",
        "lyco-merge", "lyco-convert", "lyco-inspect", "lyco-train", "lyco-sample",
      ],
      swiftSettings: tests),
  ],
  cxxLanguageStandard: .cxx17
)

// The fuzz targets have no `main`: libFuzzer brings it, see scripts/fuzz/fuzz-header.sh and fuzz-torch.sh.
if Context.environment["LYCO_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "header-fuzz", dependencies: ["Safetensors", "Tensors", systemPackage],
      swiftSettings: lifetimes))
  package.targets.append(
    .executableTarget(
      name: "torch-fuzz", dependencies: ["TorchFiles", "Tensors"], swiftSettings: lifetimes))
}

// `swift package generate-documentation`, see scripts/docs/document.sh: of no use to who builds or depends on lyco.
if Context.environment["LYCO_DOCS"] != nil {
  package.dependencies.append(
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"))
}
